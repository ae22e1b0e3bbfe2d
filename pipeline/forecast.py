"""Whether FlashTalk fits on a card, and how fast it will be there: a forecast from what the card can do.

In: a Card, picture size, number of cards. Out: a Forecast. Pure; no torch, no card is asked. `pipeline.roofline` gives
what no card can beat; this adds what is lost on the way, fitted to what others published for one and eight H800
(PERFORMANCE: step 800 and 154 ms, decode 988 and 187 ms at 416x720) and checked by tests against what they published
for 8 H20, 8 A100 and 2 cards. Until there are runs of our own it is good to a fifth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.cards import Card
from pipeline.roofline import BF16_BYTES, CHUNK_MS, GIGA, STEPS, Floor, Memory, floor, memory
from pipeline.workload import Dit, dit_parameters, tokens

OFFLOAD_BELOW_GB = 64.0  #: of a card's memory; as pipeline.engines.flashtalk.offload decides
RESERVED_GB = 1.0  #: of each card: the driver's context, the libraries' workspaces
PCIE_GBS = 22.0  #: host to card where it was not measured: PCIe 4.0 x16, pinned memory
REFERENCE_TOKENS = 10_530  #: 416x720, of which the published figures are
STEP_TRAFFIC_GB = 910.0  #: of norms, modulation and rotary in one step, that products do not hide
VAE_TRAFFIC_GB_PER_TFLOP = 35.3  #: of the VAE run layer by layer
EXCHANGE_MS = 50.0  #: of one step between the ranks of a gang
VAE_EXCHANGE_MS = 20.0  #: of one decode or encode
SENSES_MS = 33.0  #: audio encoder, colour, copying frames out
SLOTS = 2  #: blocks on the card when weights are streamed


@dataclass(frozen=True, slots=True)
class Forecast:
    """GB are 10⁹ bytes. offload: weights are streamed from host memory. link_bound: streaming, not arithmetic, decides.

    needed_gb and host_gb are of one rank; chunk_ms is of 28 frames, of which 1120 ms is real time.
    """

    card: str
    size: tuple[int, int]
    ranks: int
    offload: bool
    needed_gb: float
    there_gb: float
    host_gb: float
    step_ms: float
    chunk_ms: float
    link_bound: bool

    @property
    def fits(self) -> bool:
        return self.needed_gb <= self.there_gb

    @property
    def fps(self) -> float:
        return 28_000 / self.chunk_ms

    @property
    def is_live(self) -> bool:
        """Whether it keeps up with 25 frames a second."""
        return self.fits and self.chunk_ms <= CHUNK_MS


def predict(
    card: Card,
    size: tuple[int, int],
    ranks: int = 1,
    steps: int = STEPS,
    offload: bool | None = None,
    link_gbs: float = PCIE_GBS,
) -> Forecast:
    """size: (width, height). offload: None = where the card is too small. link_gbs: host to card, as measured."""
    streamed = card.memory_gb < OFFLOAD_BELOW_GB if offload is None else offload
    least = floor(card, size, ranks, steps=steps)
    scale = tokens(size) / REFERENCE_TOKENS
    step = least.step_ms + _moving_ms(STEP_TRAFFIC_GB * scale, card) / ranks + _together(EXCHANGE_MS * scale, ranks)
    arriving = Dit().num_layers * block_gb() / link_gbs * 1e3 if streamed else 0.0
    vae = _vae_ms(least, card, ranks)
    return Forecast(
        card=card.name,
        size=size,
        ranks=ranks,
        offload=streamed,
        needed_gb=_needed_gb(memory(size, ranks, kept_context=False), streamed) + RESERVED_GB,
        there_gb=card.memory_gb,
        host_gb=dit_parameters(Dit()) * BF16_BYTES / GIGA if streamed else 0.0,
        step_ms=max(step, arriving),
        chunk_ms=steps * max(step, arriving) + vae + SENSES_MS,
        link_bound=arriving > step,
    )


def block_gb() -> float:
    """What one block moves when weights are streamed: its matrices, but those that make keys and values."""
    dit = Dit()
    return (8 * dit.dim * dit.dim + 2 * dit.dim * dit.ffn_dim) * BF16_BYTES / GIGA


def smallest_gang(card: Card, size: tuple[int, int], most: int = 8, link_gbs: float = PCIE_GBS) -> Forecast | None:
    """The fewest cards of a kind that keep up with 25 frames a second; None when `most` of them do not."""
    return next((one for one in _gangs(card, size, most, link_gbs) if one.is_live), None)


def _gangs(card: Card, size: tuple[int, int], most: int, link_gbs: float) -> Iterator[Forecast]:
    ranks = 1
    while ranks <= most:
        yield predict(card, size, ranks, link_gbs=link_gbs)
        ranks *= 2


def _needed_gb(whole: Memory, streamed: bool) -> float:
    if not streamed:
        return whole.total
    dit = Dit()
    baking = 4 * dit.num_layers * dit.dim * dit.dim * BF16_BYTES / GIGA  # fetched one by one, only for a new avatar
    staying = whole.weights - baking - dit.num_layers * block_gb()
    return whole.total - whole.weights + staying + SLOTS * block_gb()


def _moving_ms(gigabytes: float, card: Card) -> float:
    return gigabytes / card.bandwidth_gbs * 1e3


def _together(milliseconds: float, ranks: int) -> float:
    """What is lost between ranks; nothing on one."""
    return milliseconds if ranks > 1 else 0.0


def _vae_ms(least: Floor, card: Card, ranks: int) -> float:
    """Decode and encode: their arithmetic, or the traffic of their layers where that takes longer."""
    work = (least.decode_ms + least.encode_ms) * ranks * card.bf16_tflops / 1e3  # TFLOP, of all ranks
    traffic = _moving_ms(work * VAE_TRAFFIC_GB_PER_TFLOP, card) / ranks
    return max(least.decode_ms + least.encode_ms, traffic) + 2 * _together(VAE_EXCHANGE_MS, ranks)
