"""A mapping: the YAML file that says what the fields of a program's JSON mean.

In: the file. Out: a FieldMap, or ConfigError with every mistake in it, each with file, key and what would be right.
What it can say: docs/connectors.md.
"""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path
from typing import Any

import yaml

from broadcaster.chat import message
from broadcaster.chat.model import Kind
from broadcaster.connectors import json_path
from broadcaster.connectors.field_map import FLAGS, TIMES, UNITS, Condition, FieldMap, Getter, Manners, Rule
from broadcaster.connectors.json_path import comparable
from pipeline.errors import ConfigError

MAX_BYTES = 256 << 10
RULES_MAX = 50
HELLOS_MAX = 10
PATHS_MAX = 10
PING_S = (1.0, 3600.0)
KEYS = ("when", "messages", "fields", "kinds", "connect")
RULE_KEYS = ("kind", "when", "fields")
CONNECT_KEYS = ("hello", "subprotocols", "headers", "ping")
PING_KEYS = ("every_s", "send")
GETTER_KEYS = ("path", "constant", "product", "html", "one_of", "unit")
CONDITION_KEYS = ("set", "not")
FIELDS = tuple(name for name in message.FIELDS if name != "kind")
NEEDED = {Kind.COMMENT: "text"}
HEADER = re.compile(r"[A-Za-z0-9-]{1,60}")
SUBPROTOCOL = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~{}-]{1,200}")
KINDS = [kind.value for kind in Kind]
Scalar = str | int | float | bool


def load(path: Path) -> FieldMap:
    """Read and check the file."""
    reading = _Reading()
    found = reading.whole(_tree(path))
    if reading.mistakes:
        raise ConfigError("\n".join(f"{path}: {mistake}" for mistake in reading.mistakes))
    return found


def _tree(path: Path) -> Any:
    try:
        data = path.read_bytes()
        if len(data) > MAX_BYTES:
            raise ConfigError(f"{path}: more than {MAX_BYTES >> 10} kB; a mapping is a page")
        return yaml.safe_load(data.decode("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except yaml.MarkedYAMLError as error:  # its own text quotes the line, in which a token may stand
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "line 1"
        raise ConfigError(f"{path}: not YAML: {where}: {error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(f"{path}: not YAML: {error}") from None


class _Reading:
    """One file; `mistakes` are those found so far, as `key: what would be right`."""

    def __init__(self) -> None:
        self.mistakes: list[str] = []

    def whole(self, tree: Any) -> FieldMap:
        keys = self._keys("", tree, KEYS)
        messages = self._path("messages", keys["messages"]) if "messages" in keys else ()
        common = self._fields("fields", keys.get("fields", {}))
        rules = []
        for number, rule in enumerate(self._list("kinds", keys.get("kinds"), RULES_MAX)):
            rules += self._rule(f"kinds.{number}", rule, common)
        if not rules and not self.mistakes:
            self._wrong("kinds", "say which messages are what, as [{kind: comment, fields: {text: data.text}}]")
        when = self._conditions("when", keys.get("when", {}))
        return FieldMap(tuple(rules), messages, when, self._manners(keys.get("connect", {})))

    # ── rules ────────────────────────────────────────────────────────────────────────────────────

    def _rule(self, where: str, tree: Any, common: dict[str, Getter]) -> list[Rule]:
        keys = self._keys(where, tree, RULE_KEYS)
        kind = keys.get("kind")
        if kind not in KINDS:
            self._wrong(f"{where}.kind", f"choose from {', '.join(KINDS)}")
            return []
        conditions = self._conditions(f"{where}.when", keys.get("when", {}))
        fields = common | self._fields(f"{where}.fields", keys.get("fields", {}))
        needed = NEEDED.get(Kind(kind))
        if needed and needed not in fields:
            self._wrong(f"{where}.fields", f"a {kind} needs `{needed}`; write where it is, as `text: data.text`")
        return [Rule(kind, conditions, fields)]

    def _conditions(self, where: str, tree: Any) -> tuple[Condition, ...]:
        when = self._keys(where, tree, None)
        return tuple(self._condition(f"{where}.{path}", path, value) for path, value in when.items())

    def _condition(self, where: str, path: str, value: Any) -> Condition:
        found = self._path(where, path)
        if isinstance(value, dict):
            keys = self._keys(where, value, CONDITION_KEYS)
            if len(keys) == 1 and isinstance(keys.get("set"), bool):
                return Condition(found, there=keys["set"])
            if len(keys) == 1 and "not" in keys:
                return Condition(found, self._values(f"{where}.not", keys["not"]), unless=True)
            self._wrong(where, "write a value, a list of values, {not: VALUE} or {set: true}")
            return Condition(found)
        return Condition(found, self._values(where, value))

    def _values(self, where: str, value: Any) -> frozenset[str]:
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(one, Scalar) for one in values):
            self._wrong(where, "write a value, or a list of values: texts, numbers, true or false")
            return frozenset()
        return frozenset(map(comparable, values))

    # ── fields ───────────────────────────────────────────────────────────────────────────────────

    def _fields(self, where: str, tree: Any) -> dict[str, Getter]:
        keys = self._keys(where, tree, FIELDS)
        return {name: self._getter(f"{where}.{name}", name, value) for name, value in keys.items()}

    def _getter(self, where: str, name: str, value: Any) -> Getter:
        if not isinstance(value, dict):
            return Getter(self._paths(where, value))
        keys = self._keys(where, value, GETTER_KEYS)
        if sum(key in keys for key in ("path", "constant", "product")) != 1:
            self._wrong(where, "write one of path, constant and product")
            return Getter()
        if "constant" in keys:
            if not isinstance(keys["constant"], Scalar) or len(keys) > 1 or not comparable(keys["constant"]):
                self._wrong(where, "a constant is a text or number, and stands alone, as {constant: douyin}")
            return Getter(constant=str(keys["constant"]))
        if "product" in keys and name != "value":
            self._wrong(where, "only `value` can be a product")
        per_s = UNITS.get(str(keys.get("unit", "s")), 0.0)
        if not per_s or ("unit" in keys and name not in TIMES):
            self._wrong(f"{where}.unit", f"{', '.join(UNITS)}, of the field `sent` alone")
        if "one_of" in keys and name not in FLAGS:
            self._wrong(f"{where}.one_of", f"for {' and '.join(FLAGS)} alone")
        if not isinstance(keys.get("html", False), bool):
            self._wrong(f"{where}.html", "write true or false")
        place = "path" if "path" in keys else "product"
        return Getter(
            self._paths(f"{where}.{place}", keys[place]),
            product="product" in keys,
            html=keys.get("html") is True,
            one_of=self._values(f"{where}.one_of", keys["one_of"]) if "one_of" in keys else frozenset(),
            per_s=per_s,
        )

    def _paths(self, where: str, value: Any) -> tuple[json_path.Path, ...]:
        return tuple(self._path(where, one) for one in self._list(where, value, PATHS_MAX, one_too=True))

    def _path(self, where: str, value: Any) -> json_path.Path:
        path = json_path.path_of(value) if isinstance(value, str) else None
        if path is None:
            self._wrong(where, "write a path, as data.user.nick or badges.0.name")
        return path or ()

    # ── the connection ───────────────────────────────────────────────────────────────────────────

    def _manners(self, tree: Any) -> Manners:
        keys = self._keys("connect", tree, CONNECT_KEYS)
        ping = self._keys("connect.ping", keys.get("ping", {}), PING_KEYS)
        every_s = ping.get("every_s", 0.0)
        if ping and (not _is_number(every_s) or not PING_S[0] <= every_s <= PING_S[1] or "send" not in ping):
            self._wrong("connect.ping", f"every_s: {PING_S[0]:g} to {PING_S[1]:g}, and send: what is sent")
            every_s = 0.0
        headers = self._keys("connect.headers", keys.get("headers", {}), None)
        for name, value in headers.items():
            if not HEADER.fullmatch(name) or not _is_line(value):
                self._wrong(f"connect.headers.{name}", 'write one line of text, as "Bearer {token}"')
        subprotocols = self._list("connect.subprotocols", keys.get("subprotocols"), HELLOS_MAX)
        for name in subprotocols:
            if not isinstance(name, str) or not SUBPROTOCOL.fullmatch(name):
                self._wrong("connect.subprotocols", "write names without spaces")
        hello = self._list("connect.hello", keys["hello"], HELLOS_MAX, one_too=True) if "hello" in keys else []
        return Manners(
            tuple(self._sent("connect.hello", one) for one in hello),
            tuple(map(str, subprotocols)),
            {name: str(value) for name, value in headers.items()},
            self._sent("connect.ping.send", ping["send"]) if "send" in ping else "",
            float(every_s),
        )

    def _sent(self, where: str, value: Any) -> str:
        """What is sent as text: a text as it is, anything else as JSON."""
        try:
            return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        except TypeError:
            self._wrong(where, "write text, or what JSON can hold; put dates in quotes")
            return ""

    # ── shapes ───────────────────────────────────────────────────────────────────────────────────

    def _keys(self, where: str, tree: Any, known: tuple[str, ...] | None) -> dict[str, Any]:
        """Its keys; those that are not known are mistakes. None: any text is."""
        if not isinstance(tree, dict):
            self._wrong(where, "write keys and values below it")
            return {}
        good: dict[str, Any] = {}
        for key, value in tree.items():
            if known is None or key in known:
                good[str(key)] = value
            else:
                near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.4)
                hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(known)}"
                self._wrong(f"{where}.{key}".lstrip("."), f"unknown key; {hint}")
        return good

    def _list(self, where: str, value: Any, most: int, one_too: bool = False) -> list[Any]:
        if value is None and not one_too:
            return []
        found = [value] if one_too and not isinstance(value, list) else value
        if not isinstance(found, list) or not 0 < len(found) <= most:
            self._wrong(where, f"write a list, of 1 to {most}")
            return []
        return found

    def _wrong(self, where: str, text: str) -> None:
        mistake = f"{where}: {text}" if where else text
        if mistake not in self.mistakes:
            self.mistakes.append(mistake)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_line(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable()
