"""What Python says when a file of the user's cannot be imported."""

import re

from ..documents import Failure, Stage
from ..words import relative
from .subject import Subject

_FRAME = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+)')


def explain(otherwise: str, output: str, subject: Subject) -> Failure:
    """The useful lines of a traceback: from the last frame in the user's own files to the end. `otherwise`: where nothing was said."""
    lines = output.rstrip().splitlines()
    prefix = f"{subject.workspace}/"
    for number in range(len(lines) - 1, -1, -1):
        frame = _FRAME.match(lines[number])
        if frame and frame["file"].startswith(prefix):
            words = "\n".join(lines[number:])
            return Failure(Stage.SCRIPT, relative(words, subject.workspace), frame["file"].removeprefix(prefix), int(frame["line"]))
    tail = relative("\n".join(lines[-15:]), subject.workspace)
    return Failure(Stage.SCRIPT, tail or otherwise, subject.user_file)
