"""Process 1 of the worker's main container.

    python3 -m volley_worker.launcher

waits for the collector's word, runs Taurus, ends it in order when told, and leaves with one of the exit codes of
`outcome.ExitCode`. Reads VOLLEY_CONTROL_DIR, VOLLEY_WORK_DIR, VOLLEY_JMETER, VOLLEY_K6 (`folders`).
"""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from . import configuration, documents, processes, words, workspace
from .checks import SAMPLE_FILES
from .documents import DocumentError, Launch
from .folders import Folders, read_versions
from .health import Health
from .outcome import ExitCode, Seen, decide
from .output import Output


@dataclass(frozen=True)
class Limits:
    """Seconds."""

    launch: float = 600.0
    """Until `launch.json` or `refused.json` is there."""
    stop: float = 75.0
    """From the stop until force is used. Taurus gives an engine up to 60 s, and writes its results after that."""
    kill: float = 15.0
    """From SIGTERM to SIGKILL."""
    leftovers: float = 2.0
    """The same for processes that Taurus left behind."""
    repeat: float = 2.0
    """Between two SIGTERMs to Taurus: one of 26 was swallowed by it (measured)."""
    failed_upload: float = 20.0
    """For `uploaded` after a failure before the start."""
    stopped_upload: float = 300.0
    """For `uploaded` where a stop came before `launch.json`, which would have said it."""
    poll: float = 0.1


class Launcher:
    """One run of Taurus."""

    def __init__(self, folders: Folders, environment: Mapping[str, str], limits: Limits, echo: int | None) -> None:
        self.folders = folders
        self.environment = environment
        self.limits = limits
        self.reaper = processes.Reaper()
        self.evicted = False
        self.echo = echo

    def on_signal(self, number: int, frame: object) -> None:
        """SIGTERM: the pod is evicted or deleted."""
        self.evicted = True

    def run(self) -> ExitCode:
        """Everything, from the wait for `launch.json` to the exit code."""
        work, control = self.folders.work, self.folders.control
        for folder in (work.status, work.home, work.artifacts):
            folder.mkdir(parents=True, exist_ok=True)
        if work.ended.exists() or any(work.artifacts.iterdir()):
            # A second kpi.jtl would be named kpi-1.jtl, and old samples would count as new ones.
            raise DocumentError(f"{work.root} holds files of an earlier run")

        self._wait(self.limits.launch, lambda: control.launch.exists() or control.refused.exists() or control.stop.exists() or self.evicted)
        if control.refused.exists():
            say(refusal(control.refused))
            return ExitCode.REFUSED
        if control.launch.exists():
            return self._run_taurus(documents.read_launch(control.launch))
        if control.stop.exists():
            say("stopped before there was anything to run")
            self._end(0, True)
            self._wait_for_upload(self.limits.stopped_upload)
            return ExitCode.DONE
        say("told to end before launch.json came" if self.evicted else f"no launch.json within {self.limits.launch:.0f} s")
        return ExitCode.BROKEN_CONTRACT

    def _run_taurus(self, launch: Launch) -> ExitCode:
        work, control = self.folders.work, self.folders.control
        workspace.lay(control.root / "workspace", work.workspace)
        port = configuration.shutdown_port(str(work.root))
        forced = configuration.forced(self.folders, read_versions(self.folders.versions), port)
        documents.write(work.forced_configuration, forced)

        output = Output(work.log, self.echo)
        taurus = processes.start(configuration.command(self.folders, launch.configurations), self._environment(), work.workspace)
        taurus_code = self._supervise(taurus, output)

        stopped = control.stop.exists()
        seen = Seen(
            released=work.released.exists(),
            samples=has_samples(work.artifacts),
            stopped=stopped,
            evicted=self.evicted,
            prepared=work.prepared.exists(),
            failed=work.failed.exists(),
            refused=control.refused.exists(),
        )
        code = decide(seen)
        if code is ExitCode.NO_RESULT:
            documents.write(work.failed, words.of_start(output.lines, work.workspace, taurus_code).document())
        elif code is ExitCode.REFUSED:
            output.note(refusal(control.refused))
        elif code is ExitCode.NEEDS_CHANGE and not seen.failed:
            documents.write(work.failed, words.of_taurus(output.lines, work.workspace, taurus_code).document())
        output.note(f"Taurus ended with exit code {taurus_code}; this container will exit with {int(code)} ({code.name})")
        output.close()
        self._end(taurus_code, stopped or self.evicted)
        if code not in (ExitCode.BROKEN_CONTRACT, ExitCode.REFUSED):
            self._wait_for_upload(self.limits.failed_upload if code is ExitCode.NEEDS_CHANGE else launch.upload_timeout)
        return code

    def _environment(self) -> dict[str, str]:
        package_folder = str(Path(__file__).resolve().parent.parent)
        python_path = [package_folder, *filter(None, [self.environment.get("PYTHONPATH")])]
        return {
            **self.environment,
            "HOME": str(self.folders.work.home),
            "PYTHONPATH": os.pathsep.join(dict.fromkeys(os.pathsep.join(python_path).split(os.pathsep))),
            "PYTHONUNBUFFERED": "1",
            "VOLLEY_CONTROL_DIR": str(self.folders.control.root),
            "VOLLEY_WORK_DIR": str(self.folders.work.root),
            "VOLLEY_JMETER": str(self.folders.jmeter),
            "VOLLEY_K6": str(self.folders.k6),
        }

    def _supervise(self, taurus: subprocess.Popen[bytes], output: Output) -> int:
        """Until Taurus has ended and nothing of it is left. Returns its exit code."""
        assert taurus.stdout is not None
        pipe = taurus.stdout.fileno()
        os.set_blocking(pipe, False)
        stop = StopOrder(self.limits)
        health = Health(self.folders, output.note)
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while (code := self.reaper.exit_code(taurus.pid)) is None:
                if not selector.get_map():
                    time.sleep(self.limits.poll)
                elif selector.select(self.limits.poll) and not drain(pipe, output):
                    selector.unregister(pipe)  # Taurus closed its output, but runs on
                self.reaper.reap()
                health.look(time.time(), time.monotonic())
                self._carry_out(stop.next(time.monotonic(), self._asked(), self.evicted, output.shutting_down), taurus.pid, output)
        health.close()
        drain(pipe, output)
        left = processes.end_all(self.reaper, self.limits.leftovers)
        drain(pipe, output)
        if left:
            output.note(f"{left} processes that Taurus left behind were ended")
        taurus.stdout.close()
        taurus.returncode = code  # the reaper took it; Popen must not look for it
        return code

    def _asked(self) -> bool:
        control = self.folders.control
        return control.stop.exists() or control.refused.exists()

    def _carry_out(self, action: "StopAction | None", pid: int, output: Output) -> None:
        if action is StopAction.ASK:
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        elif action is StopAction.FORCE:
            output.note(f"Taurus has not ended {self.limits.stop:.0f} s after the stop: ending all processes")
            processes.end_all(self.reaper, self.limits.kill)

    def _end(self, taurus_code: int, stopped: bool) -> None:
        documents.write(
            self.folders.work.ended,
            {"version": documents.VERSION, "exitCode": taurus_code, "at": documents.now(), "stopped": stopped},
        )

    def _wait_for_upload(self, seconds: float) -> None:
        if not self._wait(seconds, self.folders.control.uploaded.exists):
            say(f"the collector did not report its upload within {seconds:.0f} s; leaving")

    def _wait(self, seconds: float, until: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + seconds
        while not until():
            if time.monotonic() > deadline:
                return False
            self.reaper.reap()
            time.sleep(min(self.limits.poll, 0.05))
        return True


class StopAction(Enum):
    """What to do next about a stop."""

    ASK = "ask"
    FORCE = "force"


class StopOrder:
    """The order of a stop: the gate sees stop.json by itself; SIGTERM is passed on until Taurus obeys; then force."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._since: float | None = None
        self._asked: float | None = None
        self._forced = False

    def next(self, now: float, asked: bool, evicted: bool, shutting_down: bool) -> StopAction | None:
        """`now`: a monotonic clock in seconds; `shutting_down`: Taurus said that it is ending."""
        if not asked and not evicted:
            return None
        if self._since is None:
            self._since = now
        if now - self._since >= self._limits.stop:
            if self._forced:
                return None
            self._forced = True
            return StopAction.FORCE
        if evicted and not shutting_down and (self._asked is None or now - self._asked >= self._limits.repeat):
            self._asked = now
            return StopAction.ASK
        return None


def drain(pipe: int, output: Output) -> bool:
    """Read what is there. `False`: the other end is closed."""
    while True:
        try:
            data = os.read(pipe, 65536)
        except BlockingIOError:
            return True
        if not data:
            return False
        output.take(data)


def has_samples(artifacts: Path) -> bool:
    """Whether any sample file has a complete row of a sample after its header."""
    for files, sample in SAMPLE_FILES:
        for path in artifacts.glob(files):
            with path.open("rb") as file:
                file.readline()
                if any(sample.search(row) and row.endswith(b"\n") for row in file):
                    return True
    return False


def refusal(path: Path) -> str:
    """The collector's reason, for people."""
    document = documents.read(path)
    return f"not started ({document.get('reason')}): {document.get('message')}"


def say(text: str) -> None:
    """A line of our own on the container's output."""
    print(f"volley: {text}", flush=True)


def main(limits: Limits | None = None) -> int:
    """Entry point."""
    os.umask(0o002)  # the collector, of the same group, reads and the storage of both is shared
    launcher = Launcher(Folders.from_environment(os.environ), os.environ, limits or Limits(), sys.stdout.fileno())
    signal.signal(signal.SIGTERM, launcher.on_signal)
    signal.signal(signal.SIGINT, launcher.on_signal)
    try:
        processes.adopt_orphans()
        return int(launcher.run())
    except (DocumentError, configuration.NoFreePort, OSError) as error:
        say(f"this worker cannot run: {error}")
        return int(ExitCode.BROKEN_CONTRACT)
    finally:
        processes.end_all(launcher.reaper, 0.0)


if __name__ == "__main__":
    sys.exit(main())
