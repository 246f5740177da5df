"""Gives the disk space of sample rows back that both of their readers have passed.

An engine can write a gigabyte in minutes and a worker's disk has some twenty. The collector says in `consumed.json` how much of
each sample file it needs no more, even after a restart. Taurus reads the same files in this very process, so how far it has come
is known here and nowhere else: where its descriptors stand. What lies before both is punched out (`fallocate`): size and offsets
stay, the blocks are free. The files belong to this container's user, so the collector needs no right to write them.
"""

import ctypes
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path

from . import documents
from .folders import Folders

# The beginning stays: the header row is there.
HEAD = 1 << 20
# Taurus' buffers reach a little further than what it has used.
SLACK = 1 << 20
# Less is not worth a call.
STEP = 16 << 20
MAXIMUM_FILES = 64

# fallocate(2)
KEEP_SIZE = 1
PUNCH_HOLE = 2


class Space:
    """Looks at `consumed.json` each time and punches what may go."""

    def __init__(self, folders: Folders, punch: Callable[[int, int, int], None] | None = None) -> None:
        self.log = logging.getLogger("volley")
        self.folders = folders
        self.punch = punch or punch_hole
        self.seen = 0
        self.consumed: dict[int, tuple[Path, int]] = {}
        self.punched: dict[int, int] = {}
        self.works = True

    def look(self) -> None:
        """Never raises: a full disk stops a run in order, an error here would not."""
        if not self.works:
            return
        try:
            self._read()
            if self.consumed:
                self._give_back(positions())
        except (OSError, KeyError, TypeError, ValueError, documents.DocumentError) as error:
            self.works = False
            self.log.warning("Disk space of samples that were read is no longer given back: %s", error)

    def _read(self) -> None:
        path = self.folders.control.consumed
        try:
            modified = path.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if modified == self.seen:
            return
        consumed = {}
        for entry in documents.read(path).get("files", [])[:MAXIMUM_FILES]:
            consumed[int(entry["inode"])] = (self.folders.work.root / entry["path"], int(entry["upTo"]))
        self.consumed, self.seen = consumed, modified

    def _give_back(self, read_by_taurus: dict[int, int]) -> None:
        for inode, (path, up_to) in self.consumed.items():
            # A file that Taurus has not opened is one that it may still want from its beginning.
            end = min(up_to, read_by_taurus.get(inode, 0) - SLACK) // HEAD * HEAD
            start = self.punched.get(inode, HEAD)
            if end - start < STEP:
                continue
            descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                if os.fstat(descriptor).st_ino == inode:
                    self.punch(descriptor, start, end - start)
                    self.punched[inode] = end
            finally:
                os.close(descriptor)


def positions() -> dict[int, int]:
    """How far the files that this process reads were read, by inode; of several descriptors the one that is furthest behind."""
    found: dict[int, int] = {}
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                continue
            lines = Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines()
        except OSError:
            continue  # closed meanwhile, as the listing's own one
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        if int(fields["flags"], 8) & os.O_ACCMODE != os.O_WRONLY:
            position = int(fields["pos"])
            found[status.st_ino] = min(position, found.get(status.st_ino, position))
    return found


def punch_hole(descriptor: int, offset: int, length: int) -> None:
    """Free the blocks of a range; it reads as zeros from then on."""
    fallocate = ctypes.CDLL(None, use_errno=True).fallocate
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    if fallocate(descriptor, PUNCH_HOLE | KEEP_SIZE, offset, length) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"fallocate: {os.strerror(code)}")
