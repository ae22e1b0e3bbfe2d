"""The contract of a voice, and the table of providers: a sentence in, pieces of speech out.

Pieces come as they are made, so that the first word can be on air before the last one is known.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from pipeline.errors import ConfigError
from pipeline.media import Mark
from tts.settings import ProviderSettings

if TYPE_CHECKING:
    from pipeline.arrays import Pcm

PROVIDERS: Mapping[str, str] = {
    "edge": "tts.edge:EdgeSynthesizer",
    "espeak": "tts.espeak:EspeakSynthesizer",
    "http": "tts.http:HttpSynthesizer",
    "sherpa": "tts.sherpa:SherpaSynthesizer",
}


@dataclass(frozen=True, slots=True)
class Voice:
    """name: a provider's voice (`zh-CN-XiaoxiaoNeural`) or a language (`en`, `zh`). rate: 1.0 = normal speed.

    pitch: semitones; a provider that cannot shift it leaves it as it is.
    """

    name: str
    rate: float = 1.0
    pitch: float = 0.0


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of speech, contiguous with the one before.

    air: int16 [N], 48 kHz. drive: int16 [N / 3], 16 kHz, the same sound. marks: WORD and PHONEME
    alone, `at` in 48 kHz samples from the first sample of the *sentence*; a mark may come with a
    later piece than its sound, never with an earlier one. provider: who spoke; the chain writes it in.
    """

    air: Pcm
    drive: Pcm
    marks: tuple[Mark, ...] = ()
    provider: str = ""


class Synthesizer(Protocol):
    """A voice provider. Called on the director's event loop; it never blocks it for more than 20 ms.

    version: sound made by another one is not taken for this one's. remote: it needs the network.
    """

    version: str
    remote: bool

    def speak(self, sentence: str, voice: Voice) -> AsyncIterator[Piece]:
        """Speak one sentence; SpeechError when it cannot, UnknownVoice when it has no such voice."""

    async def close(self) -> None:
        """Give back connections and threads."""


def load_provider(name: str, settings: ProviderSettings) -> Synthesizer:
    """Make one of PROVIDERS; it is made with its settings where it has any, ConfigError when it needs some."""
    module, _, attribute = PROVIDERS[name].partition(":")
    maker = getattr(import_module(module), attribute)
    if name not in settings.__struct_fields__:
        made: Synthesizer = maker()
    elif (own := getattr(settings, name)) is not None:
        made = maker(own)
    else:
        raise ConfigError(f"the voice provider {name!r} needs the section voice.{name} of a configuration")
    return made


class Voices(Protocol):
    """Several providers as one voice. Called on the director's event loop."""

    @property
    def works(self) -> bool:
        """Whether a provider is well; while none is, only what is kept can be said."""

    @property
    def remote(self) -> bool:
        """Whether its best provider needs the network, so that having speech beforehand is worth the disk."""

    def states(self) -> dict[str, str]:
        """Each provider, best first: well | resting; for the status."""

    def tick(self) -> None:
        """Look whether resting providers are due to be tried; called at least each second."""

    def speak(self, sentence: str, voice: Voice) -> AsyncIterator[Piece]:
        """Speak one sentence.

        MessageError when there is nothing to say in it, UnknownVoice when nobody has the voice, VoicesDown when no
        provider works, BrokeOff when one failed midway, SpeechError when the sentence seems to be at fault.
        """

    def can_say(self, sentence: str, voice: Voice) -> bool:
        """Whether asking makes sense now: it is kept, or a provider is well."""

    def keeps(self, sentence: str, voice: Voice) -> bool:
        """Whether the best provider's sound of it is kept."""

    def pin(self, sentence: str, voice: Voice) -> bool:
        """Never give up what is kept of it; false when nothing is kept, or there is no room for more of that."""

    async def close(self) -> None:
        """Give back connections, threads and files."""
