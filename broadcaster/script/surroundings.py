"""What all scripts of a room share: its clock and time zone, the language of its voice, what is known from outside.

In: the time, a script and its products, what is told from outside. Out: what its variables stand for at this moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from broadcaster.script.model import Script
from broadcaster.script.products import Catalog, Products
from broadcaster.script.template import NAME
from broadcaster.script.values import CLOCK, WEEKDAYS, Values
from broadcaster.zone import zone_of
from pipeline.clock import Clock
from pipeline.errors import MessageError

OUTSIDE_MAX = 100  # variables
NAME_MAX_CHARS = 64
VALUE_MAX_CHARS = 200


class Surroundings:
    """zone: its name, "" is the machine's. voice: its name, which begins with its language as en-US-AriaNeural does.

    outside: values of variables that are neither in a file nor of the clock, such as `viewers`.
    """

    def __init__(self, clock: Clock, zone: str, voice: str, outside: Mapping[str, str] = MappingProxyType({})) -> None:
        self._clock = clock
        self._zone = zone_of(zone)
        language = voice.partition("-")[0].lower()
        self._language = language if language in WEEKDAYS else "en"
        self.outside = dict(outside)

    def tell(self, given: Mapping[str, str]) -> None:
        """Take these values, "" forgets one; the others stay. MessageError changes nothing."""
        for name, value in given.items():
            if len(name) > NAME_MAX_CHARS or not NAME.fullmatch(name):
                raise MessageError(
                    f"{name[:NAME_MAX_CHARS]!r} is no name of a variable; write it as viewers or mug.stock"
                )
            if name in CLOCK:
                raise MessageError(f"{name}: it goes by the clock; give yours another name")
            if len(value) > VALUE_MAX_CHARS or not value.isprintable():
                raise MessageError(f"{name}: write one printable line of at most {VALUE_MAX_CHARS} characters")
        told = {name: value for name, value in {**self.outside, **given}.items() if value}
        if len(told) > OUTSIDE_MAX:
            raise MessageError(
                f"{len(told)} variables; at most {OUTSIDE_MAX} are kept: forget some with an empty value"
            )
        self.outside = told

    def values(self, script: Script | None, catalog: Catalog) -> Values:
        now = datetime.fromtimestamp(self._clock.wall_s(), self._zone)
        return Values(now, script.variables if script else {}, catalog, self.outside, self._language)

    def values_of(self, script: Script) -> Callable[[], Values]:
        """The same for a script that is read once: its products are those of the moment."""
        products = Products(script.products) if script.products else None
        return lambda: self.values(script, products.current() if products else {})
