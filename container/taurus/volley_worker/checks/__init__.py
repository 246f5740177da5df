"""Checks a script with its own engine, before any load.

Taurus' prepare does not: a JMX with an unknown class or a Locust file with a syntax error passes it. `ENGINES` is the one
registry: an engine is added by a module with a `check` and a row here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..documents import Failure
from ..folders import Folders
from . import jmeter, k6, locust
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
    loaded_file: Callable[[Any], str | None]
    """The file that the Taurus executor hands to the engine."""
    properties: Callable[[Any], str | None]
    """The engine's property file, if it has one."""
    samples: str
    """Glob of its sample files in Taurus' artifacts."""
    sample_row: bytes = b""
    """What the row of a sample begins with, where the file has rows of other things too."""
    arguments: Callable[[Any], Sequence[str]] = lambda executor: ()
    """The user's own arguments for the engine, if it takes any."""


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
            loaded_file=lambda executor: executor.script,
            properties=lambda executor: None,
            samples="kpi*.jtl",
        ),
        Engine(
            name="k6",
            check=k6.check,
            version=k6.version,
            loaded_file=lambda executor: executor.script,
            properties=lambda executor: None,
            samples="kpi*.csv",
            sample_row=b"http_reqs,",
            arguments=lambda executor: executor.arguments,
        ),
    )
}

SAMPLE_FILES = tuple(sorted({(engine.samples, engine.sample_row) for engine in ENGINES.values()}))
"""Globs of sample files, each with the beginning of a sample's row."""

__all__ = ["ENGINES", "SAMPLE_FILES", "Engine", "Subject"]
