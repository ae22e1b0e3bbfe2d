from __future__ import annotations

from streams.playlist import Playlist, Segment, dated

DATE = "2026-01-01T00:00:00.000Z"


def segment(number: int, seconds: float = 2.0, init: str = "init", breaks: bool = False) -> Segment:
    return Segment(f"live-{number}.m4s", init, seconds, DATE, breaks)


def filled(count: int, window: int = 3) -> Playlist:
    made = Playlist(window, 2)
    for number in range(1, count + 1):
        made.add(segment(number))
    return made


def test_the_window_moves_and_numbers_rise() -> None:
    lines = filled(5).text().splitlines()
    assert "#EXT-X-MEDIA-SEQUENCE:3" in lines
    assert [line for line in lines if line.endswith(".m4s")] == ["live-3.m4s", "live-4.m4s", "live-5.m4s"]
    assert lines.count('#EXT-X-MAP:URI="init"') == 1
    assert "#EXT-X-TARGETDURATION:2" in lines
    assert "#EXT-X-ENDLIST" not in lines


def test_a_long_segment_raises_the_target() -> None:
    made = filled(2)
    made.add(segment(3, 4.2))
    assert "#EXT-X-TARGETDURATION:4" in made.text()


def test_a_break_is_told_once_and_counted_when_it_leaves() -> None:
    made = filled(2)
    made.add(segment(3, init="other", breaks=True))
    lines = made.text().splitlines()
    at = lines.index("#EXT-X-DISCONTINUITY")
    assert lines[at + 1] == '#EXT-X-MAP:URI="other"'
    assert lines.count("#EXT-X-DISCONTINUITY") == 1
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:0" in lines
    for number in range(4, 7):
        made.add(segment(number, init="other"))
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:1" in made.text()
    assert "#EXT-X-DISCONTINUITY\n" not in made.text()


def test_an_earlier_playlist_is_taken_up_word_for_word() -> None:
    made = filled(4)
    made.add(segment(5, 1.48, init="other", breaks=True))
    again = Playlist(3, 2)
    again.take_up(made.text())
    assert again.text() == made.text()
    assert again.next == 6


def test_what_is_no_playlist_of_ours_is_ignored() -> None:
    for text in ("", "garbage\n", "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:x\n"):
        made = Playlist(3, 2)
        made.take_up(text)
        assert (made.first, made.segments) == (1, [])


def test_a_smaller_window_lets_go_of_what_is_too_much() -> None:
    made = Playlist(2, 2)
    made.take_up(filled(4).text())
    assert (made.first, len(made.segments), made.next) == (3, 2, 5)


def test_dates_have_milliseconds() -> None:
    assert dated(1_700_000_000.0426) == "2023-11-14T22:13:20.042Z"
