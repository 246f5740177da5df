"""Locust: `locust --list` imports the file and lists its User classes. It exits 0 with an empty list if there is none."""

import importlib.metadata
import sys

from ..documents import Failure, Stage
from ..folders import Folders
from . import bounded, python
from .subject import Subject

_HEAD = "Available Users:"


def version(folders: Folders) -> str:
    """The installed package's."""
    return importlib.metadata.version("locust")


def check(subject: Subject) -> Failure | None:
    """Import the file as Locust does."""
    command = [sys.executable, "-P", "-m", "locust", "-f", str(subject.file), "--list"]
    result = bounded.run(command, subject.environment, subject.workspace, subject.timeout, subject.abandon)
    if result.code == 0 and users(result.output):
        return None
    return explain(result.code, result.output, subject)


def users(output: str) -> list[str]:
    """The names that `--list` printed."""
    lines = output.splitlines()
    if _HEAD not in lines:
        return []
    return [line.strip() for line in lines[lines.index(_HEAD) + 1 :] if line.startswith("    ")]


def explain(code: int | None, output: str, subject: Subject) -> Failure:
    """Turn Locust's output into its useful lines: from the last frame in the user's own files to the end."""
    if code is None:
        words = f"Locust did not import {subject.name} within {subject.timeout:.0f} s. Does it wait for something when it is imported?"
        return Failure(Stage.SCRIPT, words, subject.user_file)
    if code == 0:
        words = (
            f"No User class found in {subject.name}: `locust --list` lists none. "
            "Define a class that extends locust.User, HttpUser or FastHttpUser and is not abstract."
        )
        return Failure(Stage.SCRIPT, words, subject.user_file)
    return python.explain(f"Locust ended with exit code {code} and said nothing", output, subject)
