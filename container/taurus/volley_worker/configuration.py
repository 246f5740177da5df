"""What every worker forces on Taurus, whatever the test's own configuration says, and the command that starts it."""

import hashlib
import socket
import sys
from collections.abc import Iterable
from typing import Any

from .folders import Folders

GATE = "volley-gate"
LOCUST = "volley_worker.locust.executor.Executor"
SIEGE = "volley_worker.siege.executor.Executor"
K6 = "volley_worker.k6.executor.Executor"
# JMeter listens on a UDP port for its stop. Two workers in one network namespace (tests; never pods) must not share it:
# the stop of one would end the load of the other. Below the ports that Linux hands out by itself (32768 and up).
SHUTDOWN_PORTS = range(20_000, 30_000)


class NoFreePort(Exception):
    """There is no port for JMeter's stop."""


def shutdown_port(seed: str, attempts: int = 100) -> int:
    """A UDP port of the loopback interface that is free now; where the search starts follows from `seed`."""
    try:
        socket.getaddrinfo("localhost", None, socket.AF_INET)
    except OSError as error:
        # Taurus takes every port of a name that it cannot resolve for busy, and would try all of them, for hours.
        raise NoFreePort(f"localhost cannot be resolved ({error}); /etc/hosts has to name it") from error
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big")
    for attempt in range(attempts):
        port = SHUTDOWN_PORTS[(start + attempt) % len(SHUTDOWN_PORTS)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise NoFreePort(f"no free UDP port for JMeter's stop after {attempts} tries from {SHUTDOWN_PORTS[start % len(SHUTDOWN_PORTS)]}")


def forced(folders: Folders, versions: dict[str, str], port: int) -> dict[str, Any]:
    """The last configuration that Taurus merges.

    In Taurus' merge `^key` deletes a key, `~key` replaces what was there, a plain list is appended.
    """
    final_statistics = {"module": "final-stats", "dump-xml": str(folders.work.artifacts / "final-stats.xml")}
    return {
        # Files named here would be merged after this one and could take back what it forces.
        "^included-configs": [],
        "provisioning": "local",
        "settings": {
            "artifacts-dir": str(folders.work.artifacts),
            "check-updates": False,
            # Ramp-up belongs to the numbers; the collector counts it too.
            "ramp-up-exclude": False,
        },
        "modules": {
            GATE: {"class": "volley_worker.gate.Gate"},
            "console": {"disable": True},
            # Without folding, 2,000 labels cost Taurus 2.4 GB; the true figures per label are the collector's.
            # Labels that begin with "ignore" would be in our figures and not in its own.
            "consolidator": {"generalize-labels": 2000, "max-buffer-len": "5s", "~ignore-labels": []},
            "jmeter": {
                "path": str(folders.jmeter),
                "version": versions["JMETER_VERSION"],
                "detect-plugins": False,
                "shutdown-port": port,
            },
            # Everything is in the image: no package index at run time.
            # Its class: Taurus' own loses samples with quotation marks.
            "locust": {"class": LOCUST, "dry-install": True},
            "apiritif": {"dry-install": True},
            # Its class: Taurus' own takes every answer for a success.
            "siege": {"class": SIEGE},
            # One after the other, executions would take a multiple of the time.
            "local": {"sequential": False, "capacity": 0},
            # Its class: Taurus' own shortens the load and mixes up requests.
            "k6": {"class": K6},
        },
        "~reporting": [final_statistics],
        # Appended: the gate is the last service, so that whatever comes before it is up when the load may start.
        "services": [{"module": GATE}],
    }


def force_execution(execution: dict[str, Any]) -> None:
    """Force what Taurus reads from each execution: no error.jtl, which fills the disk and costs four times the CPU."""
    execution["write-xml-jtl"] = "none"


def command(folders: Folders, configurations: Iterable[str]) -> list[str]:
    """Start Taurus.

    `-m bzt.cli`, because only then Taurus handles SIGTERM; `-P`, because a user's file named like a module of Taurus must
    not be imported in its place.
    """
    paths = [str(folders.work.workspace / name) for name in configurations]
    return [sys.executable, "-P", "-m", "bzt.cli", *paths, str(folders.work.forced_configuration)]
