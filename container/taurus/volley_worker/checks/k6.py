"""k6: `k6 inspect` loads the script; with `--execution-requirements` it also judges it under the load of the run."""

import json
import re

from ..documents import Failure, Stage
from ..folders import Folders
from ..words import relative
from . import bounded
from .subject import Subject

_VERSION = re.compile(r"\bv(\d+\.\d+\.\d+\S*)")
# "file:///…/script.js: Line 5:1 Unexpected token }" where it cannot be parsed, "file:///…/script.js:2:22(3)" where it threw.
_PLACE = re.compile(r"file://(?P<file>/[^\s:]+):(?: Line )?(?P<line>\d+):\d+")
# Options of a script that Volley replaces, and what holds instead.
_LOAD = ("scenarios", "stages", "duration", "iterations", "vus")
_NO_DEFAULT = "function 'default' not found in exports"
# Arguments of the run that `k6 inspect` takes too, and the script may need to be loaded.
_SHARED = ("--env=", "--compatibility-mode=")
_INSPECT = ("inspect", "--no-color", "--include-system-env-vars", "--no-thresholds", "--log-format=json", "--address=")


def version(folders: Folders) -> str:
    """As k6 says it."""
    result = bounded.run([str(folders.k6), "version"], {}, folders.work.root, 30.0)
    found = _VERSION.search(result.output)
    return found[1] if found else "unknown"


def check(subject: Subject) -> Failure | None:
    """Load the script as k6 does, and find the function that the users run; note what of the script does not count."""
    if not subject.k6.is_file():
        return Failure(Stage.PREPARE, f"{subject.k6} is missing: this worker has no k6", subject.user_file)
    command = [str(subject.k6), *_INSPECT, *(argument for argument in subject.arguments if argument.startswith(_SHARED))]
    result = bounded.run(
        [*command, "--execution-requirements", str(subject.file)],
        subject.environment,
        subject.workspace,
        subject.timeout,
        subject.abandon,
    )
    if result.code != 0:
        return explain(result.code, result.output, subject)
    # Without the load of the run, so that the script's own shows.
    environment = {name: value for name, value in subject.environment.items() if not name.startswith("K6_")}
    result = bounded.run(
        [*command, "--log-output=none", str(subject.file)], environment, subject.workspace, subject.timeout, subject.abandon
    )
    for note in notes(result.output):
        subject.note(note)
    return None


def explain(code: int | None, output: str, subject: Subject) -> Failure:
    """Turn k6's log into the words of its error, with the last place in the user's own files."""
    if code is None:
        words = f"k6 did not load {subject.name} within {subject.timeout:.0f} s. Does it wait for something when it is loaded?"
        return Failure(Stage.SCRIPT, words, subject.user_file)
    words = "\n".join(errors(output)) or output.strip()[-1500:] or f"k6 ended with exit code {code} and said nothing"
    if _NO_DEFAULT in words:
        words += "\nUsers run the script's default function, whatever its own scenarios name: export one (export default function () {…})."
    prefix = f"{subject.workspace}/"
    place = next((found for found in _PLACE.finditer(words) if found["file"].startswith(prefix)), None)
    file, line = (place["file"].removeprefix(prefix), int(place["line"])) if place else (subject.user_file, None)
    return Failure(Stage.SCRIPT, relative(words.replace("file:///", "/"), subject.workspace), file, line)


def errors(output: str) -> list[str]:
    """The messages of level error, without the name that k6's own language gives them."""
    found = []
    for text in output.splitlines():
        try:
            entry = json.loads(text)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("level") in ("error", "fatal", "panic"):
            found.append(str(entry.get("msg", "")).strip().removeprefix("GoError: "))
    return found


def notes(output: str) -> list[str]:
    """What of the script's own options does not count, in words for the reader of the result. `output`: that of `k6 inspect`."""
    try:
        options = json.loads(output)
    except ValueError:
        return []
    if not isinstance(options, dict):
        return []
    found = []
    if own := [name for name in _LOAD if options.get(name) is not None]:
        found.append(f"the script's own load (options.{', options.'.join(own)}) does not count: users and times are those of spec.load")
    if thresholds := options.get("thresholds"):
        names = ", ".join(sorted(thresholds)[:5])
        found.append(f"the script's own thresholds ({names}) are not judged and abort nothing: a worker sees only its part of the load")
    if options.get("executionSegment") is not None:
        found.append("the script's options.executionSegment does not count: each worker makes all the load of spec.load")
    return found
