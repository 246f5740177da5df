"""Apiritif: nose2, which it runs, collects the tests of the file without running them."""

import importlib.metadata
import re
import sys

from ..documents import Failure, Stage
from ..folders import Folders
from . import bounded, python
from .subject import Subject

_COLLECTED = re.compile(r"^Ran (\d+) tests? in", re.MULTILINE)


def version(folders: Folders) -> str:
    """The installed package's."""
    return importlib.metadata.version("apiritif")


def check(subject: Subject) -> Failure | None:
    """Import the file as Apiritif does; there must be a test in it."""
    command = [sys.executable, "-P", "-m", "nose2", "--plugin", "nose2.plugins.collect", "--collect-only"]
    command += ["--start-dir", str(subject.file.parent), subject.file.stem]
    result = bounded.run(command, subject.environment, subject.workspace, subject.timeout, subject.abandon)
    return explain(result.code, result.output, subject)


def explain(code: int | None, output: str, subject: Subject) -> Failure | None:
    """Turn nose2's output into its useful lines; `None`: there are tests."""
    if code is None:
        words = f"Apiritif did not import {subject.name} within {subject.timeout:.0f} s. Does it wait for something when it is imported?"
        return Failure(Stage.SCRIPT, words, subject.user_file)
    if code != 0:
        return python.explain(f"Apiritif ended with exit code {code} and said nothing", output, subject)
    collected = _COLLECTED.search(output)
    if collected is None or int(collected[1]) == 0:
        words = f"No test found in {subject.name}: define a unittest.TestCase with a method whose name begins with test."
        return Failure(Stage.SCRIPT, words, subject.user_file)
    return None
