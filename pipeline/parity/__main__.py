"""python -m pipeline.parity DIR: our networks against the published ones, tensor by tensor.

In: a directory of golden cases, of any sizes. Out: a table (case, tensor, max abs, rel L2, tolerance, verdict), and an
exit code: 0 when all that was compared agrees, 1 on a miss or a case that could not be run, 2 when nothing was
compared. Cases that nothing here knows are listed as skipped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import torch

from pipeline.errors import BadInput, ConfigError
from pipeline.parity.cases import Kind, kind_of
from pipeline.parity.golden import Case, GoldenDir
from pipeline.parity.ranks import run_spread
from pipeline.parity.run import Outcome, run
from pipeline.parity.seat import Seat

AGREE, MISS, NOTHING = 0, 1, 2  #: exit codes
LINE = "{:<22} {:<40} {:>9} {:>9} {:>9}  {}"


def main(argv: Sequence[str] | None = None) -> int:
    wanted = _arguments().parse_args(argv)
    try:
        device = _device(wanted.device, wanted.ranks)
        directory = GoldenDir(_directory(wanted.directory))
        _say(LINE.format("case", "tensor", "max abs", "rel L2", "tolerance", "verdict"))
        outcomes = []
        for outcome in compared(directory, device, wanted.ranks, wanted.strategy, wanted.case):
            _show(outcome)
            outcomes.append(outcome)
    except BadInput as error:
        _say(f"parity: {error}")
        return NOTHING
    return _judged(outcomes, device)


def compared(
    directory: GoldenDir, device: torch.device, ranks: int = 1, strategy: str = "auto", pattern: str = "*"
) -> Iterator[Outcome]:
    """Outcomes of all cases whose name fits the pattern; what ranks can share, they do."""
    alone: list[tuple[Case, Kind]] = []
    spread: list[str] = []
    for case in directory.cases():
        if not fnmatchcase(case.name if isinstance(case, Case) else case[0], pattern):
            continue
        if not isinstance(case, Case):
            yield Outcome(case[0], reason=case[1], failed=True)
        elif (kind := kind_of(case)) is None:
            yield Outcome(case.name, reason="no case of this name or with these tensors is known")
        elif ranks > 1 and kind.spread:
            spread.append(case.name)
        else:
            alone.append((case, kind))
    yield from (run(case, kind, Seat(device)) for case, kind in alone)
    if spread:
        yield from run_spread(directory.path, spread, ranks, device, strategy)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline.parity", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("directory", metavar="DIR", type=Path, help="<case>.json, .safetensors, tolerances.json")
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda; elsewhere tolerances are 7 times wider")
    parser.add_argument("--ranks", type=int, default=1, metavar="N", help="processes that share what can be shared")
    parser.add_argument("--strategy", default="auto", help="of several ranks: auto (default), ulysses, ring, usp")
    parser.add_argument("--case", default="*", metavar="PATTERN", help="only cases whose name fits, as flashtalk_*")
    return parser


def _directory(path: Path) -> Path:
    if not path.is_dir():
        raise BadInput(f"{path}: no such directory")
    return path


def _device(name: str, ranks: int) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"--device {name}: cpu or cuda is meant") from None
    if ranks < 1:
        raise ConfigError(f"--ranks {ranks}: at least 1")
    if device.type == "cuda" and torch.cuda.device_count() < ranks:
        raise ConfigError(f"--device {name} --ranks {ranks}: this machine has {torch.cuda.device_count()} GPUs")
    return device


def _show(outcome: Outcome) -> None:
    name = outcome.case if outcome.ranks == 1 else f"{outcome.case} /{outcome.ranks}"
    for row in outcome.rows:
        numbers = (f"{number:.2e}" for number in (row.max_abs, row.rel_l2, row.tolerance))
        _say(LINE.format(name, row.tensor, *numbers, row.said or "ok"))
    if outcome.reason:
        _say(f"{name:<22} {'FAILED' if outcome.failed else 'skipped'}: {outcome.reason}")
    elif outcome.left:
        _say(f"{name:<22} not compared: {', '.join(outcome.left)}")


def _judged(outcomes: Sequence[Outcome], device: torch.device) -> int:
    rows = [row for outcome in outcomes for row in outcome.rows]
    misses = [f"{outcome.case}: {row.tensor}" for outcome in outcomes for row in outcome.rows if row.said]
    failed = [outcome.case for outcome in outcomes if outcome.failed]
    skipped = [outcome.case for outcome in outcomes if outcome.reason and not outcome.failed]
    _say(
        f"\n{len(rows)} tensors of {sum(bool(outcome.rows) for outcome in outcomes)} cases compared on {device}: "
        f"{len(rows) - len(misses)} agree, {len(misses)} missed; {len(failed)} cases failed, {len(skipped)} skipped"
    )
    if misses or failed:
        _say("missed: " + ", ".join([*misses, *failed]))
        return MISS
    return AGREE if rows else NOTHING


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
