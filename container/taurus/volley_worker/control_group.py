"""What Linux tells of this container's control group: processor time, throttling, memory.

Both versions of control groups are known (Linux' documentation: cgroup-v1/cpuacct.rst, sched-bwc.rst, cgroup-v1/memory.rst,
cgroup-v2.rst), and both ways in which a container sees them: its own group as the root of the mount, or the machine's tree with
the way to its own group in /proc/self/cgroup. What cannot be read is `None`, never zero.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

# A memory limit of version 1 that is none: the largest number of pages (Linux: PAGE_COUNTER_MAX), 2^63 rounded down.
NO_MEMORY_LIMIT = 1 << 60
# Bytes of a file that are read; memory.stat has some 2 KB, mountinfo of a busy machine some 100 KB.
MAXIMUM_FILE = 1 << 20


@dataclass(frozen=True)
class Reading:
    """Counters of a group since it was made. Times are microseconds of all processors together."""

    cpu: int | None = None
    processors: float | None = None
    """How many processors it may use: the tightest limit of the group and its parents, at most those that this process may run on."""
    periods: int | None = None
    throttled_periods: int | None = None
    throttled: int | None = None
    memory: int | None = None
    """Bytes, without what the kernel can take back at once (as the kubelet counts the working set)."""
    memory_limit: int | None = None


@dataclass(frozen=True)
class Mount:
    """A line of /proc/self/mountinfo (proc(5))."""

    root: str
    point: str
    version: int
    controllers: frozenset[str]


class ControlGroup:
    """The group of this process. `root` is where the file system begins; tests have one of their own."""

    def __init__(self, root: Path = Path("/"), processors: int | None = None) -> None:
        self._root = root
        self._processors = processors or len(os.sched_getaffinity(0))
        self._mounts = mounts(_text(root / "proc/self/mountinfo") or "")
        self._paths = paths(_text(root / "proc/self/cgroup") or "")
        self._cpu, self._cpu_version = self._levels("cpu")
        self._accounting, _ = self._levels("cpuacct") if self._cpu_version == 1 else (self._cpu, 2)
        self._memory, self._memory_version = self._levels("memory")

    def read(self) -> Reading:
        """How things are now. Never raises."""
        statistics = _fields(self._cpu, "cpu.stat")
        used = _number(self._accounting, "cpuacct.usage") if self._cpu_version == 1 else statistics.get("usage_usec")
        throttled = statistics.get("throttled_time" if self._cpu_version == 1 else "throttled_usec")
        if self._cpu_version == 1:
            used, throttled = _micros(used), _micros(throttled)
        return Reading(
            cpu=used,
            processors=min([self._processors, *self._processor_limits()]) if used is not None else None,
            periods=statistics.get("nr_periods"),
            throttled_periods=statistics.get("nr_throttled"),
            throttled=throttled,
            memory=self._used_memory(),
            memory_limit=min(self._memory_limits(), default=None),
        )

    def _levels(self, controller: str) -> tuple[list[Path], int]:
        """The group of a controller and its parents as far as they can be seen, the group first; and the version."""
        for version in (1, 2):
            for mount in self._mounts:
                if mount.version == version and (version == 2 or controller in mount.controllers):
                    path = self._paths.get(controller if version == 1 else "")
                    if path is not None:
                        return self._below(mount, path), version
        return [], 2

    def _below(self, mount: Mount, path: str) -> list[Path]:
        point = self._root / mount.point.lstrip("/")
        way = relative(path, mount.root)
        if way is None or not (point / way).is_dir():
            # The mount shows less than the way goes through: it is the container's own group.
            return [point]
        parents = [point / parent for parent in PurePosixPath(way).parents] if way else []
        return [point / way, *parents]

    def _processor_limits(self) -> list[float]:
        limits = []
        for level in self._cpu:
            if self._cpu_version == 1:
                quota, period = _number([level], "cpu.cfs_quota_us"), _number([level], "cpu.cfs_period_us")
            else:
                words = [*(_text(level / "cpu.max") or "").split(), "", ""]
                quota, period = _parsed(words[0]), _parsed(words[1])
            if quota is not None and period and quota > 0:
                limits.append(quota / period)
        return limits

    def _used_memory(self) -> int | None:
        old = self._memory_version == 1
        used = _number(self._memory, "memory.usage_in_bytes" if old else "memory.current")
        if used is None:
            return None
        reclaimable = _fields(self._memory, "memory.stat").get("total_inactive_file" if old else "inactive_file", 0)
        return max(0, used - reclaimable)

    def _memory_limits(self) -> list[int]:
        name = "memory.limit_in_bytes" if self._memory_version == 1 else "memory.max"
        found = [_number([level], name) for level in self._memory]
        return [limit for limit in found if limit is not None and 0 < limit < NO_MEMORY_LIMIT]


def mounts(mountinfo: str) -> list[Mount]:
    """The control groups among the mounts."""
    found = []
    for line in mountinfo.splitlines():
        before, separator, after = line.partition(" - ")
        fields, of_type = before.split(" "), after.split(" ")
        if separator and len(fields) >= 5 and len(of_type) >= 3 and of_type[0] in ("cgroup", "cgroup2"):
            version = 1 if of_type[0] == "cgroup" else 2
            found.append(Mount(_unescaped(fields[3]), _unescaped(fields[4]), version, frozenset(of_type[2].split(","))))
    return found


def paths(cgroup: str) -> dict[str, str]:
    """The way to the group of each controller, by /proc/self/cgroup; that of version 2 under the empty name."""
    found = {}
    for line in cgroup.splitlines():
        hierarchy, _, rest = line.partition(":")
        controllers, separator, path = rest.partition(":")
        if separator and path.startswith("/"):
            names = [""] if hierarchy == "0" else controllers.split(",")
            found.update({name: path for name in names})
    return found


def relative(path: str, root: str) -> str | None:
    """The way from the root of a mount to a group; `None` where it is not below it."""
    if ".." in path.split("/") or ".." in root.split("/"):
        return None
    base = root.rstrip("/")
    if path.rstrip("/") == base:
        return ""
    return path[len(base) + 1 :].strip("/") if path.startswith(base + "/") else None


def _unescaped(text: str) -> str:
    """proc(5): a space in a path is `\\040`."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)


def _text(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(MAXIMUM_FILE).decode("utf-8", "replace")
    except OSError:
        return None


def _parsed(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _number(levels: list[Path], name: str) -> int | None:
    """The number in a file of the group itself. Words such as `max` are none."""
    text = _text(levels[0] / name) if levels else None
    return None if text is None else _parsed(text.strip())


def _fields(levels: list[Path], name: str) -> dict[str, int]:
    """Lines of a name and a number."""
    found = {}
    for line in ((_text(levels[0] / name) if levels else None) or "").splitlines():
        key, _, value = line.partition(" ")
        number = _parsed(value)
        if number is not None:
            found[key] = number
    return found


def _micros(nanoseconds: int | None) -> int | None:
    return None if nanoseconds is None else nanoseconds // 1000
