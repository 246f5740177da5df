"""The gate: the last service of Taurus. It checks the scripts, says that the worker is prepared, and holds the load.

Taurus starts services before it starts engines, and prepares engines before it starts services. So inside `startup` every
engine is prepared (JMeter's test plan has its final form) and none runs.
"""

import logging
import os
import time
from pathlib import Path
from typing import Any, NoReturn

from bzt import NormalShutdown, ToolError
from bzt.engine import Service
from bzt.resources.version import VERSION as TAURUS_VERSION

from . import documents, sample_stream
from .checks import ENGINES, STREAM, Subject
from .checks.bounded import Abandoned
from .configuration import force_execution
from .documents import Failure, Stage
from .folders import Folders
from .space import Space

POLL_SECONDS = 0.01
# The run's own deadline ends a run long before; this is for a worker that everybody has forgotten.
MAXIMUM_HOLD_SECONDS = 24 * 3600
# Of a note in prepared.json, in bytes, and of notes.
MAXIMUM_NOTE = 500
MAXIMUM_NOTES = 20


class Gate(Service):
    """Named in the forced configuration; see volley_worker.configuration."""

    def __init__(self) -> None:
        super().__init__()
        self.log = logging.getLogger("volley")
        self.folders = Folders.from_environment(os.environ)
        self._notes: list[str] = []
        self._space = Space(self.folders)

    def prepare(self) -> None:
        """Services are prepared before engines: the last moment to change what an engine reads from its execution.

        An engine that is not in the image must not get to its own prepare, where it would try to download itself.
        """
        for execution in self.engine.config.get("execution", []):
            if execution.get("executor") not in ENGINES:
                self._fail(_unknown(execution.get("executor"), None))
            force_execution(execution)

    def startup(self) -> None:
        """Check, report, hold. Returns at the start of the load."""
        began = time.monotonic()
        try:
            failure = self._check_scripts()
        except Abandoned:
            failure = None  # the stop is seen below
        if failure is not None:
            self._fail(failure)
        self._end_if_stopped()
        self._follow_readers()
        documents.write(
            self.folders.work.prepared,
            {
                "version": documents.VERSION,
                "at": documents.now(),
                "engines": self._engines(),
                "taurus": TAURUS_VERSION,
                "notes": self._notes,
            },
        )
        self.log.info("Prepared, scripts checked in %.1f s; waiting for the start", time.monotonic() - began)
        self._hold()
        documents.write(self.folders.work.released, {"version": documents.VERSION, "at": documents.now()})

    def check(self) -> bool:
        """Taurus asks each second."""
        self._end_if_stopped()
        self._space.look()
        return False

    def _fail(self, failure: Failure) -> NoReturn:
        documents.write(self.folders.work.failed, failure.document())
        where = f"{failure.file}: " if failure.file else ""
        raise ToolError(f"{where}{failure.words}")

    def _end_if_stopped(self) -> None:
        if self._stopped():
            raise NormalShutdown("The collector asked for the stop")

    def _stopped(self) -> bool:
        """A refusal after `launch.json` (late: not prepared at the start instant) ends Taurus like a stop."""
        return self.folders.control.stop.exists() or self.folders.control.refused.exists()

    def _hold(self) -> None:
        deadline = time.monotonic() + MAXIMUM_HOLD_SECONDS
        while True:
            # The stop first: who asks for both wants no load.
            self._end_if_stopped()
            if self.folders.control.start.exists():
                return
            if time.monotonic() > deadline:
                raise ToolError(f"No start came within {MAXIMUM_HOLD_SECONDS} s")
            time.sleep(POLL_SECONDS)

    def _executors(self):
        return [(executor.execution.get("executor"), executor) for executor in self.engine.provisioning.executors]

    def _engines(self) -> list[dict[str, str]]:
        names = sorted({name for name, _ in self._executors()})
        return [{"name": name, "version": ENGINES[name].version(self.folders)} for name in names]

    def _note(self, text: str) -> None:
        """Keep what a reader of the result should know; the same of several executions once."""
        text = documents.clip(text, MAXIMUM_NOTE)
        if text not in self._notes and len(self._notes) < MAXIMUM_NOTES:
            self.log.warning("%s", text)
            self._notes.append(text)

    def _follow_readers(self) -> None:
        """Have the samples written of which the engines leave no file that the collector reads."""
        for name, executor in self._executors():
            if note := ENGINES[name].through_taurus:
                sample_stream.follow(executor.reader, Path(self.engine.create_artifact(STREAM, ".csv")), name)
                self._note(note)

    def _check_scripts(self) -> Failure | None:
        """The first broken script, by what the engines will really load, then what `launch.json` lists beyond that."""
        launch = documents.read_launch(self.folders.control.launch)
        seen: set[tuple[str, str]] = set()
        for name, executor in self._executors():
            engine = ENGINES[name]  # prepare() let no other pass
            user_file = self._user_file(executor)
            if user_file is not None:
                seen.add((name, user_file))
            loaded, properties = engine.loaded_file(executor), engine.properties(executor)
            if loaded is None:
                return Failure(Stage.PREPARE, f"Taurus has no script for an execution of {name}", user_file)
            subject = self._subject(
                Path(loaded),
                user_file,
                executor.env.get(),
                properties=Path(properties) if properties else None,
                arguments=engine.arguments(executor),
            )
            if failure := engine.check(subject):
                return failure
        for script in launch.scripts:
            if (script.engine, script.file) in seen:
                continue
            engine = ENGINES.get(script.engine)
            if engine is None:
                return _unknown(script.engine, script.file)
            subject = self._subject(self.folders.work.workspace / script.file, script.file, dict(os.environ))
            if failure := engine.check(subject):
                return failure
        return None

    def _subject(self, file: Path, user_file: str | None, environment: dict[str, str], **of_engine: Any) -> Subject:
        return Subject(
            file=file.absolute(),
            user_file=user_file,
            workspace=self.folders.work.workspace,
            environment={**os.environ, **{key: str(value) for key, value in environment.items()}},
            jmeter=self.folders.jmeter,
            k6=self.folders.k6,
            abandon=self._stopped,
            note=self._note,
            **of_engine,
        )

    def _user_file(self, executor) -> str | None:
        """The script of the execution's scenario, relative to the workspace; `None` where it has requests instead."""
        script = executor.get_script_path()
        if not script:
            return None
        path = Path(script).absolute()
        workspace = self.folders.work.workspace
        return str(path.relative_to(workspace)) if path.is_relative_to(workspace) else path.name


def _unknown(engine: str, file: str | None) -> Failure:
    return Failure(Stage.CONFIGURATION, f"This worker image has no engine {engine!r}; it has {', '.join(sorted(ENGINES))}", file)
