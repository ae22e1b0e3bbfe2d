"""Examinations for a room whose engine is flashtalk: what its card can do, whether the model fits, how fast it will be.

Each takes the room's configuration and a part, and says (verdict, text, remedy). What can be measured is measured on
the first card (pipeline.cardprobe). `forecasts` needs no card.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from broadcaster import gpus
from broadcaster.doctor.examination import BAD, OK, WARN
from broadcaster.doctor.machine import Found
from broadcaster.tiers import ladder
from pipeline.cards import Card, card_named
from pipeline.engine import MODELS
from pipeline.errors import BroadcasterError, EngineError
from pipeline.forecast import Forecast, predict, smallest_gang
from pipeline.roofline import CHUNK_MS

if TYPE_CHECKING:
    from pipeline.cardprobe import Machine

SIZES = ((416, 720), (448, 768))
GANGS = (1, 2, 4, 8)
NEEDS = "pip install 'broadcaster[flashtalk]', with the torch build that fits your card"


def flashtalk(room: Any, _part: str) -> Found:
    """Attention kernels, memory, bandwidth, fit and speed."""
    from pipeline.cardprobe import kernels, probed

    if room.avatar.device == "cpu":
        text = f"on the processor, attention {kernels()[0]}: minutes for each second of picture at full size"
        return WARN, text, "avatar.device: auto, on a machine with a GPU"
    try:
        machine = probed(gpus.count())
    except EngineError as error:
        return BAD, str(error), f"see that `nvidia-smi` works and that nothing fills the card; {NEEDS}"
    return judged(room, machine)


def weights(room: Any, part: str) -> Found:
    """Whether a model's weights are whole, by their headers. part: the model, "" = that of the room's own engine."""
    from pipeline.headdir import HeadDir, needed
    from pipeline.weightcheck import check

    model = part or MODELS[room.avatar.engine]
    engines = [tier.engine for tier in ladder(room.avatar, 1) if MODELS.get(tier.engine) == model]
    path = room.avatar.weights_of(engines[0])
    try:
        report = check(path, needed(engines) if model == HeadDir.model else ())
    except BroadcasterError as error:
        return BAD, str(error), "name the weights' directory in avatar.weights"
    if not report.good:
        first, more = report.faults[0], len(report.faults) - 1
        text = f"{first.text}{f' (and {more} more: `broadcaster models check {path}`)' if more else ''}"
        return BAD, text, first.mend
    parameters = sum(part.parameters for part in report.parts)
    size = sum(part.gigabytes for part in report.parts)
    whose = ", ".join(dict.fromkeys(engines))
    networks = f"{path}: {len(report.parts)} networks for {whose}"
    return OK, f"{networks}, {parameters / 1e9:.2f} billion parameters, {size:.1f} GB"


def judged(room: Any, machine: Machine) -> Found:
    """What is to be expected of this room on these cards."""
    avatar, card = room.avatar, machine.card
    ranks = machine.cards if avatar.ranks == "auto" else int(avatar.ranks)
    forecast = predict(card, avatar.size, ranks, avatar.steps, avatar.offload, machine.link_gbs)
    text = (
        f"{machine.cards} x {card.name}: {card.memory_gb:.0f} GB, {card.bandwidth_gbs / 1e3:.1f} TB/s, "
        f"{card.bf16_tflops:.0f} TFLOP/s, {machine.link_gbs:.0f} GB/s from the host; "
        f"attention: {', '.join(machine.kernels)}; {line(forecast)}"
    )
    below = [tier for tier in ladder(avatar, machine.cards)[1:] if tier.engine == avatar.engine and avatar.tiers]
    for tier in below:
        lighter = predict(card, tier.size, tier.ranks, tier.steps, avatar.offload, machine.link_gbs)
        text += f"; {tier.steps} steps in a tier below: {line(lighter)}"
    if ranks > machine.cards:
        return BAD, text, f"avatar.ranks: {ranks}, but there are {machine.cards} GPUs: write {machine.cards} or auto"
    if not forecast.fits:
        return BAD, text, "a smaller avatar.size, more ranks, or avatar.offload: true"
    if forecast.host_gb > machine.host_gb:
        text += f"; {machine.host_gb:.0f} GB of host memory"
        return BAD, text, f"streaming needs {forecast.host_gb:.0f} GB of host memory for each rank"
    if forecast.needed_gb > machine.free_gb:
        taken = card.memory_gb - machine.free_gb
        return WARN, f"{text}; other programs have {taken:.0f} GB of it", "end them, or give the room a card of its own"
    if not forecast.is_live:
        return WARN, text, _faster(card, forecast, machine.link_gbs)
    return OK, text


def line(forecast: Forecast) -> str:
    """A forecast, for a person."""
    width, height = forecast.size
    how = f"{forecast.ranks} rank{'s' * (forecast.ranks > 1)} of {width}x{height}"
    if not forecast.fits:
        return f"{how}: needs {forecast.needed_gb:.0f} GB of {forecast.there_gb:.0f}"
    streamed = ", weights streamed from the host" * forecast.offload
    bound = ", which decides its speed" * forecast.link_bound
    return (
        f"{how}: {forecast.needed_gb:.0f} GB{streamed}{bound}; forecast {forecast.fps:.1f} pictures a second "
        f"(chunk {forecast.chunk_ms:.0f} of {CHUNK_MS:.0f} ms, step {forecast.step_ms:.0f} ms)"
    )


def forecasts(name: str) -> Iterator[str]:
    """For a card that need not be here: each picture size on 1 to 8 of them. ConfigError names the known ones."""
    card = card_named(name)
    known = "measured" if card.measured else "a share of its datasheet"
    yield (
        f"{card.name}: {card.memory_gb:.0f} GB, {card.bandwidth_gbs / 1e3:.1f} TB/s, {card.bf16_tflops:.0f} TFLOP/s "
        f"in bf16 ({known}); a forecast, good to a fifth"
    )
    for size in SIZES:
        for ranks in GANGS:
            yield f"  {line(predict(card, size, ranks))}"


def _faster(card: Card, forecast: Forecast, link_gbs: float) -> str:
    gang = smallest_gang(card, forecast.size, link_gbs=link_gbs)
    if gang is not None:
        return f"25 a second are needed on air: {gang.ranks} such cards make them; `broadcaster render` may be slower"
    return "25 a second are needed on air, and 8 such cards do not make them: use it for `broadcaster render`"
