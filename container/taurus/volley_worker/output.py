"""Taurus' output: on to the container's own output and to taurus.log, bounded; the last lines are kept for its words."""

import os
from collections import deque
from pathlib import Path

# The log is uploaded with the results; a script that prints each request must not fill the disk.
MAXIMUM_LOG = 64 * 1024 * 1024
KEPT_LINES = 400
KEPT_LINE = 2000


class Output:
    """Takes the bytes of the pipe."""

    def __init__(self, log: Path, echo: int | None, limit: int = MAXIMUM_LOG) -> None:
        """`echo`: file descriptor that gets a copy; `limit`: bytes of the log before it is cut with a note."""
        self._log = log.open("wb", buffering=0)
        self._echo = echo
        self._left = limit
        self._limit = limit
        self._partial = b""
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.shutting_down = False

    def take(self, data: bytes) -> None:
        """Pass on and keep."""
        self._write_log(data)
        if self._echo is not None:
            try:
                _write_fully(self._echo, data)
            except OSError:
                self._echo = None  # nobody reads our output any more; the log goes on
        *complete, self._partial = (self._partial + data).split(b"\n")
        self._partial = self._partial[-KEPT_LINE * 4 :]
        for line in complete:
            self._keep(line)

    def close(self) -> None:
        if self._partial:
            self._keep(self._partial)
            self._partial = b""
        self._log.close()

    def note(self, text: str) -> None:
        """A line of the launcher itself, among Taurus' own."""
        self.take(f"volley: {text}\n".encode())

    def _keep(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip("\r")[:KEPT_LINE]
        # Taurus says so when a stop has arrived: no need to send it again.
        self.shutting_down = self.shutting_down or "Shutting down..." in text
        self.lines.append(text)

    def _write_log(self, data: bytes) -> None:
        if self._left <= 0:
            return
        piece = data[: self._left]
        self._left -= len(piece)
        try:
            _write_fully(self._log.fileno(), piece)
            if self._left <= 0:
                note = f"\nvolley: the log is cut here, after {self._limit} bytes; Taurus ran on\n"
                _write_fully(self._log.fileno(), note.encode())
        except OSError:
            self._left = 0  # the disk is full: the test goes on, its log does not


def _write_fully(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
