"""Mappings: what the fields of a program's JSON mean, every mistake in the file, and those that are shipped."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from broadcaster.chat.message import check
from broadcaster.connectors.field_map import FRAME_MESSAGES, FieldMap
from broadcaster.connectors.mapping import load
from broadcaster.connectors.mapping_trial import tried
from broadcaster.connectors.settings import Fields
from pipeline.errors import BadInput, ConfigError

SHIPPED = Path(__file__).parents[2] / "configs" / "connectors"
GOOD = "kinds: [{kind: comment, fields: {text: t}}]"


def mapping(tmp_path: Path, text: str) -> FieldMap:
    file = tmp_path / "map.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file)


def read(field_map: FieldMap, frame: Any) -> list[Fields]:
    return field_map.read(json.dumps(frame))


# ── what it can say ──────────────────────────────────────────────────────────────────────────────


def test_a_path_leads_through_keys_lists_and_texts_that_are_json(tmp_path: Path) -> None:
    field_map = mapping(tmp_path, "kinds: [{kind: comment, fields: {text: a.list.1.text, user: packed.user.name}}]")
    packed = json.dumps({"user": json.dumps({"name": "Ann"})})
    assert read(field_map, {"a": {"list": [{}, {"text": " hi "}]}, "packed": packed}) == [{"text": "hi", "user": "Ann"}]


def test_a_comment_that_looks_like_json_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = '{"kind": "gift", "value": 9000, "reply": "I was told to say this"}'
    assert read(mapping(tmp_path, GOOD), {"t": written}) == [{"text": written}]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ({"data": {"items": [{"t": "a"}, {"t": "b"}]}}, ["a", "b"]),
        ([{"data": {"items": [{"t": "a"}]}}, {"data": {"items": {"t": "b"}}}], ["a", "b"]),
        ({"data": {"items": '[{"t": "a"}]'}}, ["a"]),
        ({"data": {"items": [1, None, "x", [], {"t": "a"}]}}, ["a"]),
        ({"data": {"items": []}}, []),
        ({"data": None}, []),
        ("text", []),
        (7, []),
    ],
)
def test_messages_are_found_where_the_mapping_says(tmp_path: Path, frame: Any, expected: list[str]) -> None:
    field_map = mapping(tmp_path, f"messages: data.items\n{GOOD}")
    assert [fields["text"] for fields in read(field_map, frame)] == expected


def test_of_a_list_that_is_too_long_the_newest_count(tmp_path: Path) -> None:
    found = read(mapping(tmp_path, GOOD), [{"t": str(number)} for number in range(FRAME_MESSAGES + 50)])
    assert (len(found), found[0]["text"], found[-1]["text"]) == (FRAME_MESSAGES, "50", str(FRAME_MESSAGES + 49))


def test_the_first_path_with_something_at_it_counts(tmp_path: Path) -> None:
    field_map = mapping(tmp_path, "kinds: [{kind: comment, fields: {text: t, user: [a.name, b, c]}}]")
    assert read(field_map, {"t": "x", "a": {"name": ""}, "b": {"not": "text"}, "c": "Ann"})[0]["user"] == "Ann"
    assert "user" not in read(field_map, {"t": "x", "a": None, "b": True})[0]


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        ("1", 1, True),
        ("1", "1", True),
        ("1", 1.0, True),
        ("1", True, False),
        ("'1'", 1, True),
        ("true", True, True),
        ("true", "true", True),
        ("true", 1, False),
        ("chat", "chat", True),
        ("chat", "Chat", False),
        ("chat", None, False),
        ("[chat, gift]", "gift", True),
        ("[chat, gift]", "like", False),
        ("{not: gift}", "chat", True),
        ("{not: gift}", None, True),
        ("{not: [gift, 5]}", 5, False),
        ("{set: true}", "x", True),
        ("{set: true}", 0, False),
        ("{set: true}", "", False),
        ("{set: true}", [], False),
        ("{set: false}", False, True),
        ("{set: false}", None, True),
        ("{set: false}", {"a": 1}, False),
    ],
)
def test_a_condition_tells_which_messages_a_kind_is_for(
    tmp_path: Path, condition: str, value: Any, holds: bool
) -> None:
    field_map = mapping(tmp_path, f"kinds: [{{kind: comment, when: {{a.b: {condition}}}, fields: {{text: t}}}}]")
    assert bool(read(field_map, {"t": "x", "a": {"b": value}})) == holds


def test_frames_that_are_not_meant_have_no_messages(tmp_path: Path) -> None:
    field_map = mapping(tmp_path, f"when: {{type: comments}}\nmessages: data\n{GOOD}")
    assert read(field_map, {"type": "connected", "data": [{"t": "old"}]}) == []
    assert read(field_map, {"type": "comments", "data": [{"t": "new"}]}) == [{"text": "new"}]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("text: v", 12, "12"),
        ("text: v", 7338701468109681418, "7338701468109681418"),
        ("text: v", 1.5, "1.5"),
        ("text: v", 3.0, "3"),
        ("text: v", True, None),
        ("text: v", ["a"], None),
        ("text: {path: v, html: true}", 'is <img src="x" alt="y">it &lt;5&gt; <b>kg</b>?', "is it <5> kg ?"),
        ("text: v", "is it <5> &amp;", "is it <5> &amp;"),
        ("platform: {constant: TikTok}", 0, "TikTok"),
        ("platform: v", "Twitch", "twitch"),
        ("value: v", "$5.00", "5"),
        ("value: v", "1,234.5 coins", "1234.5"),
        ("value: v", "500 bits", "500"),
        ("value: v", "free", None),
        ("value: v", -3, None),
        ("value: v", True, None),
        ("value: v", 1e300, None),
        ("value: {product: [v, w]}", 4, "12"),
        ("value: {product: [v, x]}", 4, None),
        ("value: [x, v]", "¥30", "30"),
        ("buyer: v", True, "1"),
        ("buyer: v", 0, None),
        ("buyer: v", "false", None),
        ("buyer: v", "Gold", "1"),
        ("buyer: {path: v, one_of: [member, 3]}", ["vip", "member"], "1"),
        ("buyer: {path: v, one_of: [member, 3]}", 3, "1"),
        ("buyer: {path: v, one_of: [member, 3]}", "guest", None),
        ("sent: {path: v, unit: ms}", 1700000000123, "1700000000.123"),
        ("sent: {path: v, unit: ms}", "1700000000123", "1700000000.123"),
        ("sent: v", 1700000000, "1700000000.000"),
        ("sent: v", "2026-05-01T20:00:00+08:00", "2026-05-01T20:00:00+08:00"),
    ],
)
def test_a_field_is_what_its_source_says(tmp_path: Path, field: str, value: Any, expected: str | None) -> None:
    name = field.partition(":")[0]
    field_map = mapping(tmp_path, f"fields: {{text: t}}\nkinds: [{{kind: comment, fields: {{{field}}}}}]")
    fields = read(field_map, {"t": "x", "v": value, "w": 3})
    assert fields[0].get(name) == expected


def test_what_is_no_json_is_told(tmp_path: Path) -> None:
    field_map = mapping(tmp_path, GOOD)
    for junk in ("", "{", "[" * 200_000, b"\xff", "1" * 10_000):
        with pytest.raises(ValueError):
            field_map.read(junk)


# ── its mistakes ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "write keys and values below it"),
        ("kinds: []", "kinds: write a list, of 1 to 50"),
        ("fields: {text: t}", "kinds: say which messages are what"),
        ("kind: x\n" + GOOD, "kind: unknown key; did you mean 'kinds'?"),
        ("kinds: [{kind: chat, fields: {text: t}}]", "kinds.0.kind: choose from comment, gift, follow"),
        ("kinds: [{kind: comment}]", "kinds.0.fields: a comment needs `text`"),
        ("kinds: [{kind: comment, fields: {txet: t}}]", "kinds.0.fields.txet: unknown key; did you mean 'text'?"),
        ("kinds: [{kind: comment, fields: {kind: t}}]", "kinds.0.fields.kind: unknown key"),
        ("kinds: [{kind: comment, fields: {text: [a, 1]}}]", "kinds.0.fields.text: write a path, as data.user.nick"),
        ("kinds: [{kind: comment, fields: {text: 'a..b'}}]", "kinds.0.fields.text: write a path"),
        ("kinds: [{kind: comment, fields: {text: {pat: a}}}]", "kinds.0.fields.text.pat: unknown key; did you mean"),
        ("kinds: [{kind: comment, fields: {text: {html: true}}}]", "text: write one of path, constant and product"),
        ("kinds: [{kind: comment, fields: {text: {product: [a, b]}}}]", "text: only `value` can be a product"),
        ("kinds: [{kind: comment, fields: {text: {path: a, unit: ms}}}]", "text.unit: s, ms, us, of the field `sent`"),
        ("kinds: [{kind: comment, fields: {text: {path: a, one_of: [b]}}}]", "text.one_of: for buyer and mention"),
        ("kinds: [{kind: comment, fields: {text: {constant: [a]}}}]", "text: a constant is a text or number"),
        ("kinds: [{kind: comment, fields: {text: {path: a, html: 1}}}]", "text.html: write true or false"),
        ("kinds: [{kind: like, when: {a: {b: c}}}]", "kinds.0.when.a.b: unknown key; choose from set, not"),
        ("kinds: [{kind: like, when: {a: {set: 1}}}]", "kinds.0.when.a: write a value, a list of values"),
        ("kinds: [{kind: like, when: {a: []}}]", "kinds.0.when.a: write a value, or a list of values"),
        ("kinds: [{kind: like, when: [a]}]", "kinds.0.when: write keys and values below it"),
        ("messages: [a]\n" + GOOD, "messages: write a path"),
        ("connect: {helo: hi}\n" + GOOD, "connect.helo: unknown key; did you mean 'hello'?"),
        ("connect: {ping: {every_s: 0, send: x}}\n" + GOOD, "connect.ping: every_s: 1 to 3600, and send"),
        ("connect: {ping: {every_s: 5}}\n" + GOOD, "connect.ping: every_s"),
        ('connect: {headers: {A: "x\\ny"}}\n' + GOOD, "connect.headers.A: write one line of text"),
        ("connect: {subprotocols: [a b]}\n" + GOOD, "connect.subprotocols: write names without spaces"),
        ("connect: {hello: [{at: 2026-01-01}]}\n" + GOOD, "connect.hello: write text, or what JSON can hold"),
        ("kinds: [", "not YAML"),
        ("a: &a [*a]", "a: unknown key"),
        ("x" * 300_000, "more than 256 kB"),
        ("\udcff", "not UTF-8 text (byte 0)"),
    ],
)
def test_a_mistake_is_told_by_file_and_key(tmp_path: Path, text: str, mistake: str) -> None:
    file = tmp_path / "map.yaml"
    file.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert f"{file}: " in str(caught.value) and mistake in str(caught.value)


def test_a_mistake_in_a_mapping_showed_the_token_that_stood_in_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"not YAML: line 2, column \d+: ") as caught:
        mapping(tmp_path, 'connect:\n  headers: {Authorization: "Bearer sesame" x}')
    assert "sesame" not in str(caught.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        mapping(tmp_path, "messages: 1\nkinds: [{kind: comment}, {kind: x}]\nconnect: {hello: []}")
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == [
        "messages",
        "kinds.0.fields",
        "kinds.1.kind",
        "connect.hello",
    ]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: No such file"):
        load(tmp_path / "none.yaml")


# ── those that are shipped ───────────────────────────────────────────────────────────────────────

DOUYIN_USER = {"Id": 7, "Nickname": "小铭", "SecUid": "MS4w", "PayLevel": 0, "FansClub": {"ClubName": "", "Level": 0}}
SAMPLES: dict[str, list[tuple[Any, list[Fields]]]] = {
    "plain": [
        (
            [
                {"id": "1", "user": "Ann", "text": "how big?", "mention": True},
                {"kind": "gift", "user": "Ben", "value": 5},
            ],
            [
                {"id": "1", "user": "Ann", "mention": "1", "text": "how big?"},
                {"user": "Ben", "value": "5", "kind": "gift"},
            ],
        ),
        ({"kind": "follow", "user": "Ann"}, [{"user": "Ann", "kind": "follow"}]),
        ({"user": "Ann"}, []),
    ],
    "douyin-barrage-grab": [
        (
            {
                "Type": 1,
                "ProcessName": "chrome",
                "Data": json.dumps(
                    {"MsgId": 7338697347818230818, "User": DOUYIN_USER, "Content": "多少钱", "RoomId": 1}
                ),
            },
            [
                {
                    "platform": "douyin",
                    "id": "7338697347818230818",
                    "user": "小铭",
                    "user_id": "MS4w",
                    "text": "多少钱",
                }
            ],
        ),
        (
            {"Type": 5, "Data": json.dumps({"MsgId": 3, "User": DOUYIN_USER, "GiftCount": 3, "DiamondCount": 2})},
            [
                {
                    "platform": "douyin",
                    "id": "3",
                    "user": "小铭",
                    "user_id": "MS4w",
                    "value": "6",
                    "kind": "gift",
                }
            ],
        ),
        ({"Type": 6, "Data": json.dumps({"MsgId": 4, "OnlineUserCount": 9, "User": None})}, []),
    ],
    "barrage-grab": [
        (
            {
                "Type": 3,
                "Data": {"MsgId": 1, "User": {"Id": 1411, "NickName": "雅馨", "SecUid": ""}, "Content": "流量呢"},
            },
            [{"platform": "douyin", "id": "1", "user": "雅馨", "user_id": "1411", "text": "流量呢"}],
        ),
        (
            {"Type": 1, "Data": {"MsgId": 2, "User": {"Id": 7, "NickName": "小铭."}, "Content": "小铭. 来了"}},
            [{"platform": "douyin", "id": "2", "user": "小铭.", "user_id": "7", "kind": "enter"}],
        ),
    ],
    "tikfinity": [
        (
            {
                "event": "chat",
                "data": {"comment": "how are you?", "userId": "677", "uniqueId": "z", "nickname": "Z One"},
            },
            [{"platform": "tiktok", "user": "Z One", "user_id": "677", "text": "how are you?"}],
        ),
        (
            {"event": "gift", "data": {"giftType": 1, "repeatEnd": False, "repeatCount": 2, "diamondCount": 1}},
            [],
        ),
        (
            {
                "event": "gift",
                "data": {"giftType": 1, "repeatEnd": True, "repeatCount": 5, "diamondCount": 1, "user": {}},
            },
            [{"platform": "tiktok", "value": "5", "kind": "gift"}],
        ),
    ],
    "tiktools": [
        (
            {
                "event": "chat",
                "data": {
                    "type": "chat",
                    "comment": "Hello streamer!",
                    "user": {
                        "uniqueId": "viewer123",
                        "nickname": "Cool Viewer",
                        "userId": "689",
                        "isSubscriber": True,
                    },
                },
            },
            [
                {
                    "platform": "tiktok",
                    "user": "Cool Viewer",
                    "user_id": "689",
                    "text": "Hello streamer!",
                    "buyer": "1",
                }
            ],
        ),
        (
            {"event": "gift", "data": {"giftType": 2, "diamondCount": 30, "repeatCount": 1, "user": {"uniqueId": "g"}}},
            [{"platform": "tiktok", "user": "g", "user_id": "g", "value": "30", "kind": "gift"}],
        ),
        ({"event": "roomInfo", "roomId": "7", "roomInfo": {"title": "x"}}, []),
    ],
    "social-stream-ninja": [
        (
            {
                "type": "youtube",
                "chatname": "Ann",
                "userid": "UC1",
                "id": 7,
                "chatmessage": 'is it <img src="x"/> &lt; 5 kg?',
                "hasDonation": "",
                "event": False,
            },
            [{"platform": "youtube", "id": "7", "user": "Ann", "user_id": "UC1", "text": "is it < 5 kg?"}],
        ),
        (
            {
                "type": "twitch",
                "chatname": "Ben",
                "chatmessage": "<3 &amp;",
                "textonly": True,
                "hasDonation": "500 bits",
            },
            [{"platform": "twitch", "user": "Ben", "text": "<3 &amp;", "value": "500", "kind": "gift"}],
        ),
        (
            {"type": "kick", "event": "new_follower", "chatname": "Cy"},
            [{"platform": "kick", "user": "Cy", "kind": "follow"}],
        ),
        ({"type": "youtube", "event": "viewer_update", "meta": 91}, []),
        ({"action": "clear"}, []),
    ],
    "laplace-event-bridge": [
        (
            {
                "type": "message",
                "id": "m1",
                "uid": 99,
                "username": "Neko",
                "message": "晚上好",
                "timestampNormalized": 1700000000123,
            },
            [
                {
                    "platform": "bilibili",
                    "id": "m1",
                    "user": "Neko",
                    "user_id": "99",
                    "sent": "1700000000.123",
                    "text": "晚上好",
                }
            ],
        ),
        (
            {"type": "superchat", "id": "s1", "username": "N", "message": "多少钱？", "priceNormalized": 30},
            [
                {
                    "platform": "bilibili",
                    "id": "s1",
                    "user": "N",
                    "text": "多少钱？",
                    "value": "30",
                    "kind": "gift",
                }
            ],
        ),
        ({"type": "interaction", "id": "i", "action": 3, "username": "N"}, []),
        ({"type": "established", "clientId": "x"}, []),
    ],
    "onecomme": [
        (
            {
                "type": "comments",
                "data": {
                    "comments": [
                        {
                            "id": "frame",
                            "service": "youtube",
                            "data": {
                                "id": "c1",
                                "userId": "u",
                                "name": "Ann",
                                "comment": "hi &amp; <img alt='x'>",
                                "isOwner": False,
                                "hasGift": False,
                            },
                        },
                        {
                            "service": "youtube",
                            "data": {"id": "c2", "comment": "mine", "isOwner": True, "hasGift": False},
                        },
                    ]
                },
            },
            [{"platform": "youtube", "id": "c1", "user": "Ann", "user_id": "u", "text": "hi &"}],
        ),
        (
            {
                "type": "connected",
                "data": {"comments": [{"service": "youtube", "data": {"id": "c0", "comment": "of before"}}]},
            },
            [],
        ),
    ],
    "streamerbot": [
        (
            {
                "timeStamp": "2026-01-30T21:32:04-05:00",
                "event": {"source": "Twitch", "type": "ChatMessage"},
                "data": {
                    "messageId": "m",
                    "text": "how much?",
                    "message": {"displayName": "Ann", "userId": "5", "subscriber": True, "message": "how much?"},
                },
            },
            [
                {
                    "platform": "twitch",
                    "id": "m",
                    "user": "Ann",
                    "user_id": "5",
                    "text": "how much?",
                    "buyer": "1",
                }
            ],
        ),
        ({"status": "ok", "id": "broadcaster"}, []),
    ],
}


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_mapping_reads_what_its_program_is_documented_to_send(path: Path) -> None:
    field_map = load(path)
    for frame, expected in SAMPLES[path.stem]:
        found = read(field_map, frame)
        assert found == expected
        for fields in found:
            check(fields)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_mapping_says_where_its_fields_are_from(path: Path) -> None:
    head = path.read_text(encoding="utf-8").partition("\n\n")[0]
    assert path.stem == "plain" or ("https://" in head and ("nverified" in head or "not against" in head))


def test_everything_that_is_shipped_has_a_sample() -> None:
    assert {path.stem for path in SHIPPED.iterdir()} == set(SAMPLES)


def test_the_example_of_the_guide_is_a_mapping_without_a_mistake(tmp_path: Path) -> None:
    guide = (SHIPPED.parents[1] / "docs" / "connectors.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    field_map = mapping(tmp_path, next(example for example in examples if "kinds:" in example))
    gift = {"type": "gift", "data": {"repeatEnd": 1, "diamondCount": 3, "repeatCount": 2}}
    frame = {"type": "comments", "data": {"comments": [gift]}}
    assert read(field_map, frame) == [{"platform": "tiktok", "value": "6", "kind": "gift"}]


# ── a trial ──────────────────────────────────────────────────────────────────────────────────────


def test_a_trial_tells_what_would_become_of_each_message() -> None:
    sample = "\n".join(
        json.dumps(frame)
        for frame in (
            {"event": "chat", "data": {"comment": "how much?", "nickname": "Ann"}},
            {"event": "roomUser", "data": {"viewerCount": 3}},
            {"event": "chat", "data": {"comment": "x" * 3000}},
        )
    )
    told = list(tried(SHIPPED / "tikfinity.yaml", sample))
    assert told[:6] == [
        "message 1: comment, by kinds.0",
        "  platform: 'tiktok'",
        "  user: 'Ann'",
        "  text: 'how much?'",
        "  not there: id, user_id, buyer",
        "  it would be taken",
    ]
    assert "message 2: passed over" in told and "  event is 'roomUser'" in told
    assert "  it would be refused: text: 3,000 characters; at most 2,000" in told
    assert told[-1] == "1 of 3 messages would be taken"


@pytest.mark.parametrize(
    ("sample", "error"),
    [
        ("{", "the sample: not JSON"),
        ('{"a": 1}\n{', "the sample, line 2: not JSON"),
        ("", "the sample: not JSON"),
    ],
)
def test_a_sample_that_is_no_json_is_told(sample: str, error: str) -> None:
    with pytest.raises(BadInput, match=error):
        list(tried(SHIPPED / "plain.yaml", sample))


def test_a_trial_says_when_there_is_nothing_where_messages_should_be() -> None:
    told = list(tried(SHIPPED / "onecomme.yaml", '{"type": "comments"}'))
    assert told[0] == "nothing in it; messages are looked for at: data.comments"
