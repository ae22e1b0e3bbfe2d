"""The API as its documentation says it is: many requests made from /openapi.json, good ones and bad ones."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.test_hand import Office, door

ENDLESS = ["/live.flv", "/events"]  # streams
CHECKS = {
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
}
OPERATIONS = [
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/status"),
    ("post", "/say"),
    ("post", "/chat"),
    ("post", "/pause"),
    ("post", "/resume"),
    ("post", "/skip"),
    ("post", "/goto"),
    ("get", "/sections"),
    ("post", "/person"),
    ("get", "/persons"),
    ("post", "/script"),
    ("delete", "/script"),
    ("get", "/variables"),
    ("put", "/variables"),
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Any:
    schemathesis = pytest.importorskip("schemathesis", reason="`pip install .[test]` brings it")
    office = door(Office(tmp_path_factory.mktemp("office")))
    return schemathesis.openapi.from_asgi("/openapi.json", office, headers={"host": "127.0.0.1"})


def test_every_operation_is_tried(api: Any) -> None:
    known = {(found.ok().method.lower(), found.ok().path) for found in api.get_all_operations()}
    assert known == {*OPERATIONS, ("get", "/"), *(("get", path) for path in ENDLESS)}


@pytest.mark.parametrize("mode", ["positive", "negative"])
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_the_api_is_as_it_is_documented(api: Any, method: str, path: str, mode: str) -> None:
    import hypothesis
    import schemathesis
    from schemathesis import GenerationMode
    from schemathesis.checks import CHECKS as KNOWN

    checks = [KNOWN.get_one(name) for name in CHECKS]
    strategy = api[path][method].as_strategy(generation_mode=GenerationMode(mode))

    @hypothesis.settings(
        max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.given(case=strategy)
    def tried(case: Any) -> None:
        case.call_and_validate(headers={"host": "127.0.0.1"}, checks=checks)

    try:
        tried()
    except (hypothesis.errors.Unsatisfiable, schemathesis.errors.SchemathesisError) as error:
        if isinstance(error, AssertionError):
            raise
        assert mode == "negative", error  # there is nothing that could be wrong
