"""Checks a script with its own engine, before any load.

Taurus' prepare does not: a JMX with an unknown class or a Locust file with a syntax error passes it. `ENGINES` is the one
registry: an engine is added by a module with a `check` and a row here.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..documents import Failure
from ..folders import Folders
from ..siege import NOTE as SIEGE_NOTE
from . import apiritif, jmeter, k6, locust, molotov, siege
from .subject import Subject


@dataclass(frozen=True)
class Engine:
    """An engine that this image can run."""

    name: str
    """Its name as Taurus' `executor`."""
    check: Callable[[Subject], Failure | None]
    """Load the script as the engine would; `None`: it can be loaded."""
    version: Callable[[Folders], str]
    """Installed version."""
    samples: str
    """Glob of its sample files in Taurus' artifacts."""
    loaded_file: Callable[[Any], str | None] = lambda executor: executor.script
    """The file that the Taurus executor hands to the engine."""
    properties: Callable[[Any], str | None] = lambda executor: None
    """The engine's property file, if it has one."""
    sample_row: re.Pattern[bytes] = re.compile(b"")
    """What the row of a sample matches, where the file has rows of other things too."""
    through_taurus: str | None = None
    """Not `None`: the collector reads no file of this engine, so its samples come through Taurus' reader (`sample_stream`). The text
    says to the reader of the result what that means."""
    arguments: Callable[[Any], Sequence[str]] = lambda executor: ()
    """The user's own arguments for the engine, if it takes any."""


STREAM = "taurus-samples"
"""Name of the files that `sample_stream` writes, without number and ending."""

ENGINES = {
    engine.name: engine
    for engine in (
        Engine(
            name="jmeter",
            check=jmeter.check,
            version=jmeter.version,
            loaded_file=lambda executor: executor.modified_jmx or None,
            properties=lambda executor: executor.properties_file,
            samples="kpi*.jtl",
        ),
        Engine(
            name="locust",
            check=locust.check,
            version=locust.version,
            samples="kpi*.jtl",
        ),
        Engine(
            name="k6",
            check=k6.check,
            version=k6.version,
            samples="kpi*.csv",
            sample_row=re.compile(b"^http_reqs,"),
            arguments=lambda executor: executor.arguments,
        ),
        Engine(
            name="apiritif",
            check=apiritif.check,
            version=apiritif.version,
            samples="apiritif*.csv",
        ),
        Engine(
            name="molotov",
            check=molotov.check,
            version=molotov.version,
            samples="molotov-report*.ldjson",
            sample_row=re.compile(b'"type": "scenario_'),
        ),
        Engine(
            name="siege",
            check=siege.check,
            version=siege.version,
            loaded_file=lambda executor: executor.addresses,
            samples=f"{STREAM}*.csv",
            through_taurus=SIEGE_NOTE,
        ),
    )
}

SAMPLE_FILES = tuple({(engine.samples, engine.sample_row) for engine in ENGINES.values()})
"""Globs of sample files, each with what the row of a sample matches."""

__all__ = ["ENGINES", "SAMPLE_FILES", "STREAM", "Engine", "Subject"]
