"""One golden case run and compared, tensor by tensor.

In: a case, its kind, a seat. Out: an `Outcome`: one row per tensor, or the reason why there are none. Beside other
ranks every rank calls it with the same case; rows then also say by how much the ranks' results lie apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.errors import BroadcasterError
from pipeline.parity.cases import Kind
from pipeline.parity.golden import Case, Unreadable, allowance, first_match
from pipeline.parity.seat import Given, Made, Seat


@dataclass(frozen=True)
class Row:
    """max_abs, rel_l2: of ours against the golden tensor. said: why it is a miss, "" where it is none."""

    tensor: str
    max_abs: float
    rel_l2: float
    tolerance: float
    said: str = ""


@dataclass(frozen=True)
class Outcome:
    """failed: the case could not be run to its end, for `reason`; with a reason alone it was left out.

    left: golden tensors that were neither an input nor compared.
    """

    case: str
    ranks: int = 1
    rows: tuple[Row, ...] = ()
    reason: str = ""
    failed: bool = False
    left: tuple[str, ...] = ()

    @property
    def missed(self) -> bool:
        return self.failed or any(row.said for row in self.rows)


@torch.no_grad()
def run(case: Case, kind: Kind, seat: Seat) -> Outcome:
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False  # float32 is to be float32
    ranks = 1 if seat.members is None else seat.members.world
    rows: list[Row] = []
    left: set[str] = set()
    reason, failed = "", True
    try:
        given = Given(case, seat, case.read())
        left = set(given)
        for made in kind.load()(given):
            if made.name in given:
                rows.append(_compared(made, given, kind, seat))
                left.discard(made.name)
        left -= given.used
        reason = "" if rows else "it holds nothing that could be compared"
    except BroadcasterError as error:
        reason = str(error)
    except ModuleNotFoundError as error:
        reason, failed = f"{error.name} is not installed", str(error.name).startswith("pipeline")
    except Exception as error:  # noqa: BLE001  whatever a file of foreign sizes may cause is that case's failure
        reason = f"{type(error).__name__}: {error}"
    return Outcome(case.name, ranks, tuple(rows), reason, failed and bool(reason), tuple(sorted(left)))


def _compared(made: Made, given: Given, kind: Kind, seat: Seat) -> Row:
    golden = given.golden[made.name]
    published = given.case.directory.tolerances.get(given.case.name, {})
    tolerance = first_match(published, made.name)
    if tolerance is None:
        tolerance = first_match(kind.tolerances, made.name)
    if tolerance is None:
        raise Unreadable(f"no tolerance for {made.name} of {given.case.name}")
    tolerance = allowance(tolerance, seat.device)
    if made.tensor.shape != golden.shape:
        text = f"shape {list(made.tensor.shape)}, golden {list(golden.shape)}"
        return Row(made.name, float("nan"), float("nan"), tolerance, text)
    apart = _apart(made.tensor, seat)
    ours, theirs = made.tensor.detach().cpu().double(), golden.double()
    if made.where is not None:
        ours, theirs = ours[made.where.cpu()], theirs[made.where.cpu()]
    difference = (ours - theirs).abs()
    most = float(difference.max()) if difference.numel() else 0.0
    size = float(theirs.norm())
    relative = float(difference.norm()) / size if size else float(difference.norm())
    said = ""
    if not most <= tolerance:  # so that "not a number" is a miss
        said = "MISS"
    elif apart:
        said = f"MISS: the ranks differ by {apart:.1e}"
    return Row(made.name, most, relative, tolerance, said)


def _apart(ours: Tensor, seat: Seat) -> float:
    """The largest difference of any rank's tensor from rank 0's; a collective where there are ranks."""
    if seat.members is None:
        return 0.0
    everyone = seat.members.all_gather(ours.detach().float().to(seat.device))
    return float((everyone - everyone[:1]).abs().nan_to_num(float("inf")).max()) if everyone.numel() else 0.0
