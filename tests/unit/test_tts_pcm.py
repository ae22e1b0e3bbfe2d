from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.arrays import Pcm
from pipeline.errors import BadInput
from pipeline.media import WORD, Mark
from tts.pcm import Mp3Decoder, Speech, joined, read_wav
from tts.synthesizer import Piece
from tts.trimmer import FADE_MS, LEAD_MS, MS, TAIL_MS, Trimmer


def tone(hz: float, seconds: float, rate_hz: int, level: float = 12_000) -> Pcm:
    return np.rint(level * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz)).astype(np.int16)


def spoken(samples: Pcm, rate_hz: int, chunk: int = 1000, marks: tuple[Mark, ...] = ()) -> list[Piece]:
    speech = Speech(rate_hz)
    pieces = [speech.feed(samples[at : at + chunk], marks if not at else ()) for at in range(0, len(samples), chunk)]
    return [piece for piece in (*pieces, speech.end()) if piece]


def snr_db(got: Pcm, wanted: Pcm) -> float:
    error = got.astype(float) - wanted
    return float(10 * np.log10((wanted.astype(float) ** 2).mean() / max((error**2).mean(), 1e-9)))


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_air_and_drive_are_the_same_sound_in_phase(rate_hz: int) -> None:
    whole = joined(spoken(tone(440, 1.0, rate_hz), rate_hz))
    assert len(whole.air) == 3 * len(whole.drive)
    assert abs(len(whole.air) - 48_000) <= 3
    middle = slice(4_000, 12_000)
    assert snr_db(whole.air[12_000:36_000], tone(440, 1.0, 48_000)[12_000:36_000]) > 60
    assert snr_db(whole.drive[middle], tone(440, 1.0, 16_000)[middle]) > 60


def test_every_piece_is_aligned_and_borders_do_not_show() -> None:
    samples = tone(440, 0.7, 22_050)
    pieces = spoken(samples, 22_050, chunk=331)
    assert all(len(piece.air) == 3 * len(piece.drive) for piece in pieces)
    cut, whole = joined(pieces), joined(spoken(samples, 22_050, chunk=len(samples)))
    assert np.array_equal(cut.air, whole.air)
    assert np.array_equal(cut.drive, whole.drive)


def test_drive_has_no_alias_of_what_it_cannot_hold() -> None:
    whole = joined(spoken(tone(10_000, 0.5, 48_000), 48_000))
    assert np.abs(whole.drive[500:-500]).max() < 12_000 * 0.002  # -54 dB
    assert np.abs(whole.air[500:-500]).max() > 11_000


def test_a_mark_never_comes_before_its_sound() -> None:
    marks = tuple(Mark(at=at, kind=WORD, text=str(at)) for at in range(0, 30_000, 500))
    made, seen = 0, 0
    for piece in spoken(tone(440, 0.7, 22_050), 22_050, 500, marks):
        made += len(piece.air)
        assert all(mark.at < made for mark in piece.marks)
        seen += len(piece.marks)
    assert seen == len(marks)


def test_no_sound_gives_no_piece() -> None:
    assert spoken(np.zeros(0, np.int16), 22_050) == []
    assert Speech(22_050).end() is None
    assert Speech(48_000).end() is None


def trimmed(samples: Pcm, marks: tuple[Mark, ...] = (), chunk: int = 1000) -> list[Piece]:
    trimmer = Trimmer()
    pieces = [trimmer.feed(piece) for piece in spoken(samples, 48_000, chunk, marks)]
    return [piece for piece in (*pieces, trimmer.end()) if piece]


def padded(before_s: float, sound_s: float, after_s: float) -> Pcm:
    quiet = np.zeros(int(before_s * 48_000), np.int16), np.zeros(int(after_s * 48_000), np.int16)
    return np.concatenate([quiet[0], tone(440, sound_s, 48_000), quiet[1]])


@pytest.mark.parametrize("chunk", [300, 4_000, 200_000])
def test_silence_at_both_ends_is_trimmed_and_marks_follow(chunk: int) -> None:
    marks = (Mark(at=24_000, kind=WORD, text="a"), Mark(at=100_000, kind=WORD, text="late"))
    whole = joined(trimmed(padded(0.5, 0.4, 1.5), marks, chunk))
    assert abs(len(whole.air) - (400 + LEAD_MS + TAIL_MS) * MS) <= 10 * MS
    assert len(whole.air) == 3 * len(whole.drive)
    assert [mark.text for mark in whole.marks] == ["a"]
    assert abs(whole.marks[0].at - LEAD_MS * MS) <= 5 * MS
    assert np.abs(whole.air[whole.marks[0].at + 200 :][:500]).max() > 10_000


@pytest.mark.parametrize("level", [400, 2_000, 12_000])
@pytest.mark.parametrize("known", [True, False])
def test_a_soft_onset_stays_and_noise_goes_however_loud_the_voice(level: int, known: bool) -> None:
    onset = tone(3_000, 0.06, 48_000, level / 25)  # 28 dB under the vowel
    hiss = np.random.default_rng(1).normal(0, level / 300, 24_000).astype(np.int16)
    sound = np.concatenate([hiss, onset, tone(300, 0.5, 48_000, level), hiss])
    trimmer = Trimmer(20 * np.log10(level / 32_768) - 3 if known else None)
    pieces = [trimmer.feed(piece) for piece in spoken(sound, 48_000)]
    whole = joined([piece for piece in (*pieces, trimmer.end()) if piece])
    assert abs(len(whole.air) / MS - (560 + LEAD_MS + TAIL_MS)) <= 10


def test_a_voice_that_nobody_knows_is_held_back_until_its_loudness_shows() -> None:
    trimmer = Trimmer()
    sound = spoken(tone(440, 0.5, 48_000), 48_000, 4_800)
    heard = [trimmer.feed(piece) is not None for piece in sound]
    assert heard[:1] == [False] and heard.index(True) <= 3


def test_a_sentence_shorter_than_what_shows_a_voices_loudness_is_whole() -> None:
    whole = joined(trimmed(padded(0.3, 0.1, 0.3)))
    assert abs(len(whole.air) - (100 + LEAD_MS + TAIL_MS) * MS) <= 10 * MS


def test_a_pause_inside_a_sentence_stays() -> None:
    whole = joined(trimmed(np.concatenate([padded(0, 0.2, 0.6), padded(0, 0.2, 0)])))
    assert abs(len(whole.air) - 48_000) <= 5 * MS


def test_a_sentence_that_begins_and_ends_loudly_is_faded() -> None:
    pieces = trimmed(np.full(48_000, 20_000, np.int16))
    whole = joined(pieces)
    for samples, edge in ((whole.air, FADE_MS * 48), (whole.drive, FADE_MS * 16)):
        assert abs(int(samples[0])) < 500
        assert abs(int(samples[-1])) < 500
        assert np.abs(np.diff(samples.astype(int))).max() < 20_000 / edge * 3
        assert np.abs(samples[edge * 2 : -edge * 2]).min() > 19_000


def test_speech_is_not_withheld_for_the_sake_of_trimming() -> None:
    trimmer = Trimmer()
    first = trimmer.feed(spoken(tone(440, 0.3, 48_000), 48_000, 20_000)[0])
    assert first is not None
    assert len(first.air) >= 0.25 * 48_000


def test_a_silent_sentence_gives_no_piece() -> None:
    assert trimmed(np.zeros(96_000, np.int16)) == []


def mp3(samples: Pcm, rate_hz: int = 24_000) -> bytes:
    encoder = av.CodecContext.create("libmp3lame", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = rate_hz, "mono", "s16p", 48_000
    encoder.open()
    data = b""
    for at in range(0, len(samples) - 1152 + 1, 1152):
        frame = av.AudioFrame.from_ndarray(samples[at : at + 1152].reshape(1, -1), format="s16p", layout="mono")
        frame.sample_rate, frame.pts = rate_hz, at
        data += b"".join(bytes(packet) for packet in encoder.encode(frame))
    return data + b"".join(bytes(packet) for packet in encoder.encode(None))


def test_mp3_is_decoded_as_it_arrives() -> None:
    data = mp3(tone(440, 1.0, 24_000))
    decoder = Mp3Decoder()
    parts = [decoder.feed(data[at : at + 720]) for at in range(0, len(data), 720)]
    assert sum(map(len, parts[:4])) > 0.15 * 48_000
    whole = np.concatenate([*parts, decoder.end()])
    assert abs(len(whole) - 48_000) < 0.15 * 48_000
    spectrum = np.abs(np.fft.rfft(whole[12_000:36_000]))
    assert np.argmax(spectrum) * 2 == 440


def test_what_is_not_mp3_is_silence_not_a_crash() -> None:
    decoder = Mp3Decoder()
    noise = np.random.default_rng(1).integers(0, 128, 20_000, np.uint8).tobytes()
    assert len(decoder.feed(noise)) + len(decoder.end()) == 0


def test_a_wav_file_is_read_whatever_its_rate_and_channels(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 22_050, 0, "NONE", ""))
        file.writeframes(np.repeat(tone(440, 0.5, 22_050), 2).tobytes())
    piece = read_wav(path)
    assert len(piece.air) == 3 * len(piece.drive)
    assert abs(len(piece.air) - 24_000) <= 3
    assert snr_db(piece.air[6_000:18_000], tone(440, 0.5, 48_000)[6_000:18_000]) > 50


def test_a_file_that_is_no_wav_is_named(tmp_path: Path) -> None:
    path = tmp_path / "b.wav"
    path.write_bytes(b"RIFFxxxxnot a wave")
    with pytest.raises(BadInput, match=r"b\.wav"):
        read_wav(path)
    with pytest.raises(BadInput, match=r"missing\.wav"):
        read_wav(tmp_path / "missing.wav")
