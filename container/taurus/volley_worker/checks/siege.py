"""siege: its script is a list of addresses; it has no way to check one, so there must be one at least."""

import re

from ..documents import Failure, Stage
from ..folders import Folders
from . import bounded
from .subject import Subject

_VERSION = re.compile(r"^SIEGE (\d+\.\d+\S*)", re.MULTILINE)
_ADDRESS = re.compile(r"^(https?://)?[A-Za-z0-9$\[]", re.MULTILINE)


def version(folders: Folders) -> str:
    """As siege says it."""
    found = _VERSION.search(bounded.run(["siege", "--version"], {"PATH": "/usr/bin:/bin"}, folders.work.root, 30.0).output)
    return found[1] if found else "unknown"


def check(subject: Subject) -> Failure | None:
    """Look for an address that is neither a comment nor a variable."""
    try:
        lines = subject.file.read_text("utf-8", "replace").splitlines()
    except OSError as error:
        return Failure(Stage.SCRIPT, f"{subject.name} cannot be read: {error}", subject.user_file)
    if any(_ADDRESS.match(line) and "=" not in line.split("/", 1)[0] for line in lines):
        return None
    words = f"No address found in {subject.name}: siege needs at least one request, or a file with one address a line."
    return Failure(Stage.SCRIPT, words, subject.user_file)
