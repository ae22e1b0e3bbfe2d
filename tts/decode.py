"""Sound in a container, as a server streams it: bytes in as they come, mono 48 kHz samples out as soon as they can be.

What it is, its first bytes say, not what was asked for: WAV, MP3, FLAC, Ogg (Opus, Vorbis), AAC; raw samples bear no
sign. libav reads a stream by asking for more, so it does that in a thread of its own, which rests while it waits:
`feed` blocks until all that was given is used up, some milliseconds. `close` ends the thread at any time.
"""

from __future__ import annotations

import threading
from typing import Protocol

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from pipeline.arrays import Pcm, silence
from pipeline.errors import SpeechError
from pipeline.media import AIR_HZ
from tts.raw import WavDecoder

SIGNS = {b"RIFF": "wav", b"OggS": "ogg", b"fLaC": "flac", b"ID3": "mp3"}
SYNC, LAYER, ADTS = 0xFFE0, 0x0006, 0xFFF0  # of an MPEG audio frame's first two bytes; ADTS has layer 0
SIGN_BYTES = 4
KINDS = ("wav", "mp3", "ogg", "flac", "aac")
VAGUE = ("mp3", "aac")  # their sign is eleven bits: raw samples may begin like that
WAIT_S = 10.0  #: for libav to use up what it was given; it needs milliseconds
READ_BYTES = 1024  #: that libav asks for at a time: what it holds back
PROBE_BYTES = "32"  #: the kind is known: what libav would hold back to guess it is sound
BAD_PACKETS = 50  #: in a row that cannot be decoded: then nothing of it can


def kind_of(head: bytes) -> str | None:
    """wav | mp3 | ogg | flac | aac by the first bytes; None: none of them, or fewer than SIGN_BYTES."""
    for sign, kind in SIGNS.items():
        if head.startswith(sign):
            return kind
    if len(head) < SIGN_BYTES:
        return None
    first = int.from_bytes(head[:2], "big")
    if first & SYNC != SYNC:
        return None
    if first & LAYER == 0:
        return "aac" if first & ADTS == ADTS else None
    return "mp3"


class Decoder(Protocol):
    """Called by one thread at a time; SpeechError when it cannot be decoded."""

    def feed(self, data: bytes) -> Pcm: ...

    def end(self) -> Pcm:
        """What was held back."""

    def close(self) -> None:
        """At any time, also in the middle."""


class SniffingDecoder:
    """Whatever it is. raw: for bytes that bear no sign; None: they are an error. coded: they are told not to be raw."""

    def __init__(self, raw: Decoder | None, coded: bool = False) -> None:
        self._raw, self._coded = raw, coded
        self._head = b""
        self._chosen: Decoder | None = None

    def feed(self, data: bytes) -> Pcm:
        if self._chosen is None:
            self._head += data
            if len(self._head) < SIGN_BYTES:
                return silence(0)
            data, self._head = self._head, b""
            self._chosen = self._choose(data)
        return self._chosen.feed(data)

    def end(self) -> Pcm:
        return self._chosen.end() if self._chosen else silence(0)

    def close(self) -> None:
        if self._chosen:
            self._chosen.close()

    def _choose(self, data: bytes) -> Decoder:
        kind = kind_of(data)
        if kind == "wav":
            return WavDecoder()
        if self._raw and (kind is None or (kind in VAGUE and not self._coded)):
            return self._raw
        if kind is None:
            raise SpeechError(f"neither {', '.join(KINDS)}: it begins with {bytes(data[:8])!r}")
        return ContainerDecoder(kind)


class ContainerDecoder:
    """A stream of a kind that `kind_of` tells, but for wav."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._hungry = threading.Condition()  # guards all below but _fed
        self._waiting = bytearray()
        self._ended = False
        self._asks = False  # libav waits for more
        self._done = False
        self._made: list[Pcm] = []
        self._error: str = ""
        self._fed = False
        self._thread = threading.Thread(target=self._work, name="decode", daemon=True)

    def feed(self, data: bytes) -> Pcm:
        if not data:
            return silence(0)
        if not self._fed:
            self._thread.start()
        self._fed = True
        with self._hungry:
            self._waiting += data
            self._asks = False
        return self._result()

    def end(self) -> Pcm:
        if not self._fed:
            return silence(0)
        self._finish()
        return self._result()

    def close(self) -> None:
        self._finish()

    def _finish(self) -> None:
        with self._hungry:
            self._ended = True
            self._hungry.notify_all()

    def _result(self) -> Pcm:
        """What was made of all that was given."""
        with self._hungry:
            self._hungry.notify_all()
            if not self._hungry.wait_for(lambda: self._done or (self._asks and not self._ended), WAIT_S):
                raise SpeechError(f"{self._kind}: the decoder does not answer")
            made, self._made = self._made, []
            if self._error:
                raise SpeechError(self._error)
        return np.concatenate([silence(0), *made])

    # ── in the thread ────────────────────────────────────────────────────────────────────────────

    def read(self, size: int) -> bytes:
        """For libav: what there is, after waiting for it; b"" at the end."""
        with self._hungry:
            if not self._waiting and not self._ended:
                self._asks = True
                self._hungry.notify_all()
                self._hungry.wait_for(lambda: self._waiting or self._ended)
                self._asks = False
            taken = bytes(self._waiting[:size])
            del self._waiting[:size]
        return taken

    def _work(self) -> None:
        error = ""
        try:
            self._decode()
        except (av.error.FFmpegError, ValueError) as failed:
            error = f"{self._kind} cannot be decoded: {failed.strerror if isinstance(failed, OSError) else failed}"
        with self._hungry:
            self._done, self._error = True, error
            self._hungry.notify_all()

    def _decode(self) -> None:
        swr = AudioResampler(format="s16", layout="mono", rate=AIR_HZ)
        options = {"probesize": PROBE_BYTES, "analyzeduration": "0"}
        decoded, bad = False, 0
        with av.open(self, "r", format=self._kind, options=options, buffer_size=READ_BYTES) as container:
            if not container.streams.audio:
                raise ValueError("there is no sound in it")
            for packet in container.demux(container.streams.audio[0]):
                try:
                    frames = packet.decode()
                    bad = 0
                except av.error.InvalidDataError:
                    bad += 1  # Xing and ID3 frames carry no sound
                    if bad > BAD_PACKETS:
                        raise
                    continue
                for frame in frames:
                    assert isinstance(frame, AudioFrame)
                    decoded = True
                    self._put(swr.resample(frame))
        if decoded:  # flushing a resampler that saw nothing is an error of libav
            self._put(swr.resample(None))

    def _put(self, frames: list[AudioFrame]) -> None:
        with self._hungry:
            self._made += [frame.to_ndarray()[0] for frame in frames]
