"""Taurus' executor for k6; see the package."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

from bzt import TaurusConfigError, ToolError
from bzt.engine import ScenarioExecutor
from bzt.modules.aggregator import ConsolidatingAggregator

from ..folders import Folders
from ..output import Output
from . import arguments, load
from .reader import Reader

# k6 logs each failed request; what it says must not fill the disk.
MAXIMUM_LOG = 16 * 1024 * 1024
# Seconds for k6 to end after SIGTERM: its `teardown` may take that long. A second SIGTERM ends it at once.
ORDERLY = 50.0
AT_ONCE = 5.0

COMMAND = (
    "run",
    "--quiet",
    "--no-color",
    "--no-usage-report",
    # Each worker sees only a part of the load: a threshold over that part must neither judge the run nor end it.
    "--no-thresholds",
    # Without summary and thresholds k6 keeps no response time in memory; else it grows with the length of the run.
    "--no-summary",
    # The script's own segment would make a part of the worker's users only.
    "--execution-segment=0:1",
    "--linger=false",
    # No API: nobody needs it, and two workers on one host would fight for its port.
    "--address=",
)


class Executor(ScenarioExecutor):
    """Named in the forced configuration; see volley_worker.configuration."""

    def __init__(self) -> None:
        super().__init__()
        self.script: str | None = None
        self.arguments: list[str] = []
        self.samples: str | None = None
        self.process = None
        self.output: Output | None = None
        self._copier: threading.Thread | None = None

    def prepare(self) -> None:
        super().prepare()
        self.script = self.get_script_path(required=True)
        specified = self.get_load()
        try:
            self.arguments = arguments.of(self.execution, self.settings)
            forced = load.environment(specified.concurrency, specified.ramp_up or 0, specified.hold, specified.iterations)
        except (arguments.NotAllowed, load.Impossible) as error:
            raise TaurusConfigError(str(error)) from error
        # What the pod or the user's configuration sets for k6 could change load and outputs.
        self.env.set({name: None for name in self.env.get() if name.startswith("K6_")})
        self.env.set(forced)
        self.samples = self.engine.create_artifact("kpi", ".csv")
        self.reader = Reader(self.samples, self.log)
        if isinstance(self.engine.aggregator, ConsolidatingAggregator):
            self.engine.aggregator.add_underling(self.reader)

    def startup(self) -> None:
        k6 = Folders.from_environment(os.environ).k6
        self.output = Output(Path(self.engine.create_artifact("k6", ".log")), None, MAXIMUM_LOG)
        command = [str(k6), *COMMAND, "--out", f"csv={self.samples}", *self.arguments, self.script]
        self.process = self._execute(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._copier = threading.Thread(target=self._copy, name="k6-output", daemon=True)
        self._copier.start()

    def _copy(self) -> None:
        descriptor = self.process.stdout.fileno()
        while data := os.read(descriptor, 65536):
            self.output.take(data)

    def check(self) -> bool:
        code = self.process.poll()
        if code:
            self._finish_output()
            raise ToolError(f"k6 exited with code {code}", self.get_error_diagnostics())
        return code is not None

    def shutdown(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        for number, seconds in ((signal.SIGTERM, ORDERLY), (signal.SIGTERM, AT_ONCE), (signal.SIGKILL, AT_ONCE)):
            self.log.info("Ending k6 (process %s) with signal %s", self.process.pid, number)
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                return
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                if self.process.poll() is not None:
                    return
                time.sleep(0.05)

    def post_process(self) -> None:
        self._finish_output()
        super().post_process()

    def _finish_output(self) -> None:
        if self._copier is not None:
            self._copier.join(AT_ONCE)
            self._copier = None
            self.output.close()

    def get_error_diagnostics(self) -> list[str]:
        """The end of what k6 said."""
        lines = list(self.output.lines)[-15:] if self.output else []
        return ["k6 said:\n" + "\n".join(lines)] if lines else []

    def resource_files(self) -> list[str]:
        return [self.get_script_path(required=True)]
