"""Processes below this one: adopt orphans, reap them, find them, end them.

Taurus gives each engine a process group of its own, so ending Taurus' group misses the engines; and when Taurus dies
alone they run on. In a container this program is process 1 and gets every orphan; elsewhere it asks Linux to be the
"child subreaper" (prctl(2)), so that both behave alike.
"""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    if os.getpid() != 1 and _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def _end_with_parent() -> None:
    # A launcher that was killed must not leave load behind. (In a container the kernel ends everything with process 1.)
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def start(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> subprocess.Popen[bytes]:
    """Start in a process group of its own, with output and errors in one pipe."""
    return subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
        preexec_fn=_end_with_parent,  # noqa: PLW1509 - this program has one thread
    )


class Reaper:
    """Collects the exit codes of all children, adopted ones too."""

    def __init__(self) -> None:
        self._codes: dict[int, int] = {}

    def reap(self) -> None:
        """Collect whoever has ended; does not wait."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._codes[pid] = os.waitstatus_to_exitcode(status)

    def exit_code(self, pid: int) -> int | None:
        """Exit code of a child, 128 + n where signal n ended it; `None` while it runs."""
        code = self._codes.get(pid)
        return 128 - code if code is not None and code < 0 else code


def _parents() -> dict[int, tuple[int, int]]:
    """Parent and process group of every process that can be seen and is no zombie."""
    table = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            content = Path("/proc", entry, "stat").read_bytes()
        except OSError:
            continue  # it ended meanwhile
        # proc(5): the name stands in parentheses and may hold anything, so read from the last one.
        state, parent, group = content[content.rindex(b")") + 2 :].split()[:3]
        if state != b"Z":
            table[int(entry)] = (int(parent), int(group))
    return table


def descendants() -> dict[int, int]:
    """Every process below this one: pid and process group."""
    table = _parents()
    found: dict[int, int] = {}
    level = {os.getpid()}
    while level:
        level = {pid for pid, (parent, _) in table.items() if parent in level and pid not in found}
        found.update({pid: table[pid][1] for pid in level})
    return found


def signal_all(number: signal.Signals) -> int:
    """Send a signal to the process group of each descendant; returns how many processes there were."""
    own = os.getpgrp()
    found = descendants()
    for group in sorted(set(found.values())):
        if group != own:
            _send(os.killpg, group, number)
    for pid, group in found.items():
        if group == own:
            _send(os.kill, pid, number)
    return len(found)


def _send(function, target: int, number: signal.Signals) -> None:
    try:
        function(target, number)
    except (ProcessLookupError, PermissionError):
        pass  # it ended meanwhile, or is being replaced


def end_all(reaper: Reaper, patience: float) -> int:
    """End every descendant: SIGTERM, after `patience` seconds SIGKILL. Returns how many there were at first."""
    first = signal_all(signal.SIGTERM)
    deadline = time.monotonic() + patience
    while (reaper.reap() or descendants()) and time.monotonic() < deadline:
        time.sleep(0.05)
    # A process that forks while it is being killed needs more than one look.
    for _ in range(50):
        if signal_all(signal.SIGKILL) == 0:
            break
        time.sleep(0.05)
        reaper.reap()
    reaper.reap()
    return first
