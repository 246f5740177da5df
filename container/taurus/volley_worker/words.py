"""Find what matters in what Taurus printed."""

import re
from collections.abc import Iterable
from pathlib import Path

from .documents import Failure, Stage

# "16:31:42 ERROR: Config Error: …" (bzt/cli.py, output that is no terminal).
_ENTRY = re.compile(r"^\d\d:\d\d:\d\d (DEBUG|INFO|WARNING|ERROR|CRITICAL): (.*)$")
# bzt prefixes the class of an error; these say that the configuration is at fault.
_CONFIGURATION = ("Config Error:", "Lint Error:")
# A JMX that is no XML: "XML parsing failed for file /…/script.jmx: Premature end of data in tag …, line 3, column 1".
_XML = re.compile(r"XML parsing failed for file (?P<file>.+?): (?P<words>.*)")
_XML_LINE = re.compile(r"\bline (\d+), column \d+")


def errors(lines: Iterable[str]) -> list[str]:
    """The entries of level ERROR and above, each with the lines that follow it."""
    found: list[list[str]] = []
    inside = False
    for line in lines:
        entry = _ENTRY.match(line)
        if entry:
            inside = entry[1] in ("ERROR", "CRITICAL")
            if inside:
                found.append([entry[2]])
        elif inside:
            found[-1].append(line)
    return ["\n".join(block).strip() for block in found]


def without_traceback(text: str) -> str:
    """Cut the frames of Taurus' own Python code; the exception's own lines stay."""
    kept, skipping = [], False
    for line in text.splitlines():
        if line.startswith("Traceback (most recent call last)"):
            skipping = True
        elif skipping and (line.startswith("  ") or not line.strip()):
            continue
        else:
            skipping = False
            kept.append(line)
    return "\n".join(kept).strip()


def relative(text: str, workspace: Path) -> str:
    """Name the user's files as he knows them."""
    return text.replace(f"{workspace}/", "")


def of_taurus(lines: Iterable[str], workspace: Path, exit_code: int) -> Failure:
    """Why Taurus ended before the gate, in its words."""
    lines = list(lines)
    blocks = [relative(without_traceback(block), workspace) for block in errors(lines)]
    text = "\n".join(dict.fromkeys(block for block in blocks if block))
    if not text:
        tail = "\n".join(line for line in lines[-12:] if line.strip())
        text = f"Taurus ended with exit code {exit_code} before the test was prepared.\n{relative(tail, workspace)}"
    xml = _XML.search(text)
    if xml:
        line = _XML_LINE.search(xml["words"])
        return Failure(Stage.SCRIPT, text, xml["file"], int(line[1]) if line else None)
    stage = Stage.CONFIGURATION if text.startswith(_CONFIGURATION) else Stage.PREPARE
    return Failure(stage, text)


def of_start(lines: Iterable[str], workspace: Path, exit_code: int) -> Failure:
    """Why there is no sample although the gate was open."""
    failure = of_taurus(lines, workspace, exit_code)
    head = f"The load was started, but no sample was made (Taurus ended with exit code {exit_code})."
    return Failure(Stage.START, f"{head}\n{failure.words}", failure.file, failure.line)
