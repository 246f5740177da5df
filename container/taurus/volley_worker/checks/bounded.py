"""Run an engine's check: bounded in time and output, ended with everything it started."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# The end of the output is where a program says why it failed.
KEPT_OUTPUT = 256 * 1024


class Abandoned(Exception):
    """A stop came while the check ran."""


@dataclass(frozen=True)
class Result:
    """What came out."""

    code: int | None
    """Exit code, negative where a signal ended it; `None`: it did not end in time."""
    output: str
    """The last KEPT_OUTPUT bytes of output and errors together."""


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    timeout: float,
    abandon: Callable[[], bool] = lambda: False,
) -> Result:
    """Run `command` in a process group of its own for at most `timeout` seconds."""
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
    )
    assert process.stdout is not None
    deadline = time.monotonic() + timeout
    output = b""
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            open_ = True
            while open_ and (left := deadline - time.monotonic()) > 0:
                if abandon():
                    raise Abandoned
                if selector.select(min(left, 0.1)):
                    data = os.read(process.stdout.fileno(), 65536)
                    open_ = bool(data)
                    output = (output + data)[-KEPT_OUTPUT:]
        try:
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            code = None
        return Result(code, output.decode("utf-8", "replace"))
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        process.stdout.close()
