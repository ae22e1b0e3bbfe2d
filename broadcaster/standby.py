"""A process that stands by for a child: it has read its modules, which takes most of a second, and waits for a section.

In: how the child is doing. Out: the process to begin with when the child has died. There is none while the child is
young, since a start needs the processors, and after a death that the standby died as well: then a new one is started.
"""

from __future__ import annotations

import subprocess

import structlog

from broadcaster.children import Plan
from broadcaster.member import Member

SETTLED_S = 2.0  # of a child's work, before another process is started beside it
AGAIN_S = 60.0  # after a standby has ended by itself

log = structlog.get_logger()


class Standby:
    """Of one child. It never waits."""

    def __init__(self) -> None:
        self._member: Member | None = None
        self._not_before_s = 0.0
        self._ending: list[subprocess.Popen[bytes]] = []

    @property
    def pid(self) -> int | None:
        return self._member.pid if self._member else None

    def keep(self, plan: Plan, worked_s: float, now_s: float) -> None:
        """Have one, if the plan wants one; to be called again and again. worked_s: for how long the child has."""
        self._ending = [process for process in self._ending if process.poll() is None]
        if not plan.standby:
            self.dismiss()
        elif self._member is not None:
            if self._member.process.poll() is not None:
                log.warning("standby.ended", child=plan.name, code=self._member.process.returncode)
                self.dismiss()
                self._not_before_s = now_s + AGAIN_S
        elif worked_s >= SETTLED_S and now_s >= self._not_before_s:
            try:
                self._member = Member.start(plan, None, now_s, standby=True)
            except OSError as error:
                log.warning("standby.unstartable", child=plan.name, reason=str(error))
                self._not_before_s = now_s + AGAIN_S

    def take(self) -> Member | None:
        """The process, which is nobody's standby any more; None when there is none that could begin."""
        if self._member is None or self._member.process.poll() is not None or self._member.is_stopped():
            self.dismiss()
            return None
        member, self._member = self._member, None
        return member

    def dismiss(self) -> None:
        """It is not wanted: it has read code that is not to be used, or cannot begin."""
        member, self._member = self._member, None
        if member is not None:
            if member.process.poll() is None:
                member.kill()
                self._ending.append(member.process)
            member.forget()
