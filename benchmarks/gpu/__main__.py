"""`python3 -m benchmarks.gpu`: FlashTalk at full size on the GPU that is here, with random weights, beside the floor.

Needs torch 2.11 or newer, triton, numpy and safetensors; no weights, no other package. Without a GPU it prints the
floor of a card by its name instead. Every figure is printed, and kept in --json FILE, as it comes.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from benchmarks.gpu import floors
from benchmarks.gpu.results import markdown, read
from pipeline.cards import CARDS, card_named
from pipeline.errors import BroadcasterError, ConfigError
from pipeline.workload import tokens

SIZES = "416x720,448x768"
PARTS = "start,card,step,vae,senses,chunk,attention,block,fp8,conv,kernels"
CARD = "h200"


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    try:
        if options.show is not None:
            print("\n".join(markdown(*read(options.show))))
            return 0
        sizes = _sizes(options.sizes)
        if options.card is None and _can_measure(options):
            return _measure(options, sizes, shlex.join(["python3", "-m", "benchmarks.gpu", *arguments]))
        print("\n".join(floors.lines(card_named(options.card or CARD), sizes)))
        return 0
    except BroadcasterError as error:
        print(error, file=sys.stderr)
        return 2


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m benchmarks.gpu", description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--card", metavar="NAME", help=f"print the floor of a card, measure nothing; known: {', '.join(CARDS)}")
    add("--minutes", type=float, default=9.0, help="the run ends within these (default 9)")
    add("--sizes", default=SIZES, metavar="WxH,...", help=f"pictures, width x height (default {SIZES})")
    add("--parts", default=PARTS, metavar="NAME,...", help=f"which of {PARTS}")
    add("--json", type=Path, metavar="FILE", help="append each figure to FILE as a line of JSON")
    add("--markdown", action="store_true", help="print the rows for docs/benchmarks.md at the end")
    add("--show", type=Path, metavar="FILE", help="print these rows of the last run in a --json FILE; measure nothing")
    add("--device", default="cuda", help="cuda, cuda:1, or cpu together with --tiny")
    add("--tiny", action="store_true", help="tiny networks: tries this benchmark, says nothing of the machine")
    return parser.parse_args(arguments)


def _sizes(text: str) -> tuple[tuple[int, int], ...]:
    sizes = []
    for each in text.split(","):
        width, _, height = each.strip().partition("x")
        if not (width.isdecimal() and height.isdecimal()):
            raise ConfigError(f"--sizes {text}: {each!r} is no size; {SIZES} would be right")
        sizes.append((int(width), int(height)))
        tokens(sizes[-1])  # refuses a size that the patches do not divide
    return tuple(sizes)


def _can_measure(options: argparse.Namespace) -> bool:
    """False: there is no GPU, and nothing else was asked for."""
    if options.device == "cpu":
        if not options.tiny:
            raise ConfigError("--device cpu: one step of the full model takes hours; add --tiny, or name a --card")
        return True
    try:
        import torch
    except ImportError:
        print("torch is not installed, so nothing is measured.")
        return False
    if not torch.cuda.is_available():
        print("No CUDA device is here, so nothing is measured.")
        return False
    return True


def _measure(options: argparse.Namespace, sizes: tuple[tuple[int, int], ...], command: str) -> int:
    import torch

    from benchmarks.gpu.run import Asked, measure

    return measure(
        Asked(
            device=torch.device(options.device),
            tiny=options.tiny,
            sizes=sizes,
            parts=tuple(name.strip() for name in options.parts.split(",")),
            minutes=options.minutes,
            kept=options.json,
            markdown=options.markdown,
            command=command,
        )
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
