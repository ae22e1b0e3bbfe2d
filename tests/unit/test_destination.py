from __future__ import annotations

import pytest

from streams.destination import PusherSpec, endpoint

SECRET = "sk-9f31"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"rtmp://live.example:1935/app/{SECRET}?sign={SECRET}", "rtmp://live.example:1935"),
        (f"rtmps://user:{SECRET}@live.example/app/{SECRET}", "rtmps://live.example"),
        (f"rtmp://[::1]:1935/app/{SECRET}", "rtmp://[::1]:1935"),
        (f"rtmp://host:port/app/{SECRET}", "rtmp:…"),
        ("file:var/shop.mp4", "file:var/shop.mp4"),
    ],
)
def test_what_is_shown_of_a_url_holds_no_key(url: str, shown: str) -> None:
    assert endpoint(url) == shown


def test_a_section_does_not_print_its_key() -> None:
    spec = PusherSpec("main", f"rtmp://live.example/app/{SECRET}", "/run/x")
    assert SECRET not in f"{spec!r} {spec}"
