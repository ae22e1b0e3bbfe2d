"""Everything that can go wrong, in one tree. A class is one sentence and one decision: retry or not.

Foreign exceptions are translated at the border file that met them, with the library's last words
(redacted where they may hold a secret). Nothing here imports anything.
"""

from __future__ import annotations


class BroadcasterError(Exception):
    """Root of our own errors. `retryable`: the same call may succeed later."""

    retryable = False


class BadInput(BroadcasterError):
    """What a person gave us is wrong; the text says where, what, and what would be right."""


class ConfigError(BadInput):
    """The configuration cannot be used."""


class ScriptError(BadInput):
    """A script file cannot be used; the text names file and line."""


class AvatarError(BadInput):
    """A picture or avatar file cannot be used."""


class MessageError(BadInput):
    """A message from the queue cannot be said; it goes to the dead letters with this text."""


class SpeechError(BroadcasterError):
    """A voice did not deliver; the next one in the chain is tried."""

    retryable = True


class UnknownVoice(SpeechError):
    """A provider does not know this voice, and has no voice for its language either."""

    retryable = False


class TooOften(SpeechError):
    """A voice wants to be left alone for so many seconds."""

    def __init__(self, text: str, after_s: float) -> None:
        super().__init__(text)
        self.after_s = after_s


class VoicesDown(SpeechError):
    """No voice works at the moment; the sentence waits for one, however long that takes."""


class BrokeOff(SpeechError):
    """A voice failed in the middle of a sentence; said again from its start, another one speaks it."""


class RewriteError(BroadcasterError):
    """A line was not put into other words; it is said as it was written, and the endpoint is left alone for a while."""

    retryable = True


class RewriteRefused(RewriteError):
    """The endpoint will not answer as it is set up: a wrong key, model or address."""

    retryable = False


class CompletionError(BroadcasterError):
    """A language model did not deliver; whoever asked does without, and leaves it alone for a while.

    after_s: for so many seconds at least, if it said so.
    """

    retryable = True

    def __init__(self, text: str, after_s: float = 0.0) -> None:
        super().__init__(text)
        self.after_s = after_s


class CompletionRefused(CompletionError):
    """It will not answer as it is asked: a wrong key, model or address."""

    retryable = False


class EngineError(BroadcasterError):
    """An engine cannot go on; its process exits and is started again."""

    retryable = True


class OutOfMemory(EngineError):
    """The card or the machine has not enough memory for this engine as it is made; a lighter one may fit."""


class CardLost(EngineError):
    """A card that this engine needs does not answer; fewer ranks, or an engine without cards, may work."""


class TooSlow(EngineError):
    """Warm, and still slower than real time: it would only stutter on air; a lighter one may keep up."""


class WireError(BroadcasterError):
    """A message on a wire cannot be read; it is dropped and counted."""


class OutputError(BroadcasterError):
    """A destination failed. `kind`: connect | rejected | timeout | tls | reset | stall | disk | protocol."""

    retryable = True

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind


class ConnectorError(BroadcasterError):
    """A source of comments was lost; it is asked again, for ever. `kind`: connect | rejected | timeout | tls | reset |
    protocol | planned.
    """

    retryable = True

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind


class ConnectorRefused(ConnectorError):
    """A source of comments will not have us as it is set up: a wrong token, channel or address; it is asked rarely."""

    retryable = False

    def __init__(self, text: str) -> None:
        super().__init__("rejected", text)


class RedisDown(BroadcasterError):
    """The message queue does not answer; the show goes on without it."""

    retryable = True
