"""Tells each second of the load how this container is, so that the result can say when its numbers may be the generator's own.

Only this container sees its control group: the collector is another one. A row a second is added to `status/health.csv`
(docs/contributors/worker-contract.md); `volley_stats::health` reads and judges it.
"""

import os
from collections.abc import Callable

from .control_group import ControlGroup, Reading
from .folders import Folders

HEADER = "second,spanMicros,cpuMicros,cpuAvailableMicros,periods,throttledPeriods,throttledMicros,memoryBytes,memoryLimitBytes"
# A row that speaks of less waits for the next second.
SHORTEST_SPAN = 0.5
# Two days; a load lasts a day at most.
MAXIMUM_ROWS = 172_800


class Health:
    """Looks when it is asked to; writes a row for each second from the opening of the gate on."""

    def __init__(self, folders: Folders, note: Callable[[str], None], group: ControlGroup | None = None) -> None:
        self._folders = folders
        self._note = note
        self._group = group or ControlGroup()
        self._file: int | None = None
        self._before: tuple[float, Reading] | None = None
        self._second = 0
        self._rows = 0
        self._works = True

    def look(self, wall: float, clock: float) -> None:
        """`wall`: seconds since 1970; `clock`: seconds of a clock that is never set. Never raises: no load depends on this."""
        if not self._works:
            return
        try:
            if self._file is None:
                if self._folders.work.released.exists():
                    self._begin(wall, clock)
            elif int(wall) != self._second:
                self._add(wall, clock)
        except OSError as error:
            self._works = False
            self._note(f"how this container is can no longer be told: {error}")

    def close(self) -> None:
        """Nothing more is written."""
        self._works = False
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _begin(self, wall: float, clock: float) -> None:
        # Nothing that a script has put there is written to.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(self._folders.work.health, flags, 0o644)
        self._write(HEADER)
        reading = self._group.read()
        if reading.cpu is None:
            self._note("the use of the processor by this container cannot be measured: no control group of it can be read")
        self._before, self._second = (clock, reading), int(wall)

    def _add(self, wall: float, clock: float) -> None:
        assert self._before is not None
        began, before = self._before
        if clock - began < SHORTEST_SPAN:
            return
        reading = self._group.read()
        self._write(row(int(wall) - 1, clock - began, before, reading))
        self._before, self._second = (clock, reading), int(wall)
        self._rows += 1
        if self._rows >= MAXIMUM_ROWS:
            self.close()

    def _write(self, line: str) -> None:
        # One call, so that a reader never sees two rows in one.
        assert self._file is not None
        os.write(self._file, f"{line}\n".encode())


def row(second: int, span: float, before: Reading, now: Reading) -> str:
    """The line of the time from one reading to the next, `span` seconds that end after `second`. What is not known is empty."""
    micros = round(span * 1_000_000)
    used = grown(before.cpu, now.cpu)
    available = round(now.processors * micros) if used is not None and now.processors is not None else None
    throttling = [
        grown(before.periods, now.periods),
        grown(before.throttled_periods, now.throttled_periods),
        grown(before.throttled, now.throttled),
    ]
    if None in throttling:
        throttling = [None, None, None]
    limit = now.memory_limit if now.memory is not None else None
    fields = [second, micros, used if available else None, available or None, *throttling, now.memory, limit]
    return ",".join("" if field is None else str(field) for field in fields)


def grown(before: int | None, now: int | None) -> int | None:
    """How much a counter has grown; `None` where it is not known or was begun anew."""
    return now - before if before is not None and now is not None and now >= before else None
