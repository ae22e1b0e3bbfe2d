"""Where a case is run: on which device, and beside which other ranks. And what a case gives and is given.

In: a case of a golden directory. Out: `Given`, its inputs on the device, counted, so that what was neither given nor
compared can be named; `Made`, what our code made of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import torch
from torch import Tensor, nn

from pipeline.parity.golden import Case, Unreadable

if TYPE_CHECKING:
    from pipeline.parallel.members import Members

Net = TypeVar("Net", bound=nn.Module)


class Made(NamedTuple):
    """Our tensor for a golden one. where: bool, the rows that mean something; all of them without it."""

    name: str
    tensor: Tensor
    where: Tensor | None = None


@dataclass(frozen=True)
class Seat:
    """device: the case runs there. members: the ranks it is spread over by `strategy`, none for one."""

    device: torch.device
    members: Members | None = None
    strategy: str = "local"

    @property
    def alone(self) -> bool:
        return self.members is None


@dataclass
class Given:
    """The inputs of a case. Tensors come as float32 on the seat's device; integers keep their type."""

    case: Case
    seat: Seat
    golden: Mapping[str, Tensor]
    used: set[str] = field(default_factory=set)

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.golden:
            raise Unreadable(f"tensor {name!r} is not in {self.case.name}.safetensors")
        self.used.add(name)
        return self.golden[name].to(self.seat.device)

    def __contains__(self, name: str) -> bool:
        return name in self.golden

    def __iter__(self) -> Iterator[str]:
        return iter(self.golden)

    @property
    def about(self) -> Mapping[str, Any]:
        return self.case.about

    def borrowed(self, name: str) -> Tensor:
        """A tensor of this case or another, which one the JSON says."""
        self.used.add(name)
        return self.case.borrowed(name).to(self.seat.device)

    def filled(
        self,
        make: Callable[[Mapping[str, Any]], Net],
        holds: str,
        adapted: Callable[[str, Tensor], Iterable[tuple[str, Tensor]]] | None = None,
    ) -> Net:
        """The network with the weights that hold the tensor `holds`, float32, on the device; every one must fit.

        make: configuration → network, called inside `torch.device("meta")`. adapted: a golden tensor → parameters.
        """
        tensors, config = self.case.weights(holds)
        with torch.device("meta"):
            net = make(config)
        pairs = ((name, x) for key, tensor in tensors.items() for name, x in (adapted or _same)(key, tensor))
        try:
            net.load_state_dict(dict(pairs), assign=True)
        except RuntimeError as error:
            raise Unreadable(f"weights with {holds!r}: {error}") from None
        return net.to(self.seat.device).eval().requires_grad_(False)


Driver: TypeAlias = Callable[[Given], Iterator[Made]]


def _same(key: str, tensor: Tensor) -> Iterable[tuple[str, Tensor]]:
    yield key, tensor
