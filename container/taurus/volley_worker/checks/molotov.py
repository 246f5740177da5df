"""Molotov: import the file as Molotov does, and count its scenarios."""

import importlib.metadata
import sys

from ..documents import Failure, Stage
from ..folders import Folders
from . import bounded, python
from .subject import Subject

# What `molotov` itself does with its file before it starts (molotov/run.py).
_PROGRAM = """\
import os, sys
from importlib.util import module_from_spec, spec_from_file_location
from molotov.api import get_scenarios
sys.path.insert(0, os.path.dirname(sys.argv[1]))
spec = spec_from_file_location("loadtest", sys.argv[1])
spec.loader.exec_module(module_from_spec(spec))
print("scenarios:", len(get_scenarios()))
"""
_NONE = "scenarios: 0"


def version(folders: Folders) -> str:
    """The installed package's."""
    return importlib.metadata.version("molotov")


def check(subject: Subject) -> Failure | None:
    """Import the file; there must be a scenario in it."""
    command = [sys.executable, "-P", "-c", _PROGRAM, str(subject.file)]
    result = bounded.run(command, subject.environment, subject.workspace, subject.timeout, subject.abandon)
    return explain(result.code, result.output, subject)


def explain(code: int | None, output: str, subject: Subject) -> Failure | None:
    """Turn Python's output into its useful lines; `None`: there are scenarios."""
    if code is None:
        words = f"Molotov did not import {subject.name} within {subject.timeout:.0f} s. Does it wait for something when it is imported?"
        return Failure(Stage.SCRIPT, words, subject.user_file)
    if code != 0:
        return python.explain(f"Molotov ended with exit code {code} and said nothing", output, subject)
    if _NONE in output.splitlines():
        words = f"No scenario found in {subject.name}: mark an async function with @molotov.scenario(weight=1), its weight above 0."
        return Failure(Stage.SCRIPT, words, subject.user_file)
    return None
