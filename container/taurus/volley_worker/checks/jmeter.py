"""JMeter: load the test plan with JMeter's own SaveService in a short JVM, with the class path of the real run."""

import re
from pathlib import Path

from ..documents import Failure, Stage
from ..folders import Folders, read_versions
from ..words import relative
from . import bounded
from .subject import Subject

# Lies beside JMeter's start script, so that whichever JMeter runs the test also checks it.
PROGRAM = "load-test-plan"
_MARK = "volley-test-plan: "
_CLASS = re.compile(r"(?:CannotResolveClassException|ClassNotFoundException|ForbiddenClassException|missing class)\W+([\w.$]+)")
_LINE = re.compile(r"^line number\s*: (\d+)$", re.MULTILINE)
_PATH = re.compile(r"^path\s*: (\S+)$", re.MULTILINE)


def version(folders: Folders) -> str:
    """As JMeter's core jar says; a JMeter without jars (a stand-in in tests) is what the versions file says."""
    jars = sorted(folders.jmeter.parent.parent.glob("lib/ext/ApacheJMeter_core-*.jar"))
    return jars[0].stem.removeprefix("ApacheJMeter_core-") if jars else read_versions(folders.versions)["JMETER_VERSION"]


def check(subject: Subject) -> Failure | None:
    """Load the plan; nothing of it runs."""
    program = subject.jmeter.parent / PROGRAM
    if not program.is_file():
        return Failure(Stage.PREPARE, f"{program} is missing: this JMeter was not assembled for Volley", subject.user_file)
    environment = {**subject.environment, "TEST_PLAN_CLASSPATH": user_classpath(subject.properties)}
    result = bounded.run([str(program), str(subject.file)], environment, subject.workspace, subject.timeout, subject.abandon)
    if result.code == 0:
        return None
    source = read_source(subject)
    return explain(result.code, result.output, subject, source)


def explain(code: int | None, output: str, subject: Subject, source: str) -> Failure:
    """Turn JMeter's output into its useful lines. `source`: text of the user's JMX, empty where there is none."""
    if code is None:
        words = f"JMeter did not load {subject.name} within {subject.timeout:.0f} s"
        return Failure(Stage.SCRIPT, words, subject.user_file)
    if _MARK not in output:
        words = f"JMeter could not load {subject.name} (exit code {code}):\n{output.strip()[-1500:]}"
        return Failure(Stage.SCRIPT, words, subject.user_file)
    text = relative(output.split(_MARK, 1)[1], subject.workspace).replace(subject.file.name, subject.user_file or subject.file.name)
    head = " ".join(text.split("Detail:", 1)[0].split("---- Debugging information", 1)[0].split())
    head = head.removeprefix("java.lang.IllegalArgumentException: ").strip()
    missing = _CLASS.search(text)
    path = _PATH.search(text)
    words = [head]
    if path:
        words.append(f"path: {path[1]}")
    if missing:
        words.append(
            "The class is in no library of this worker image. Remove the element from the test plan, or use an image that has its plugin."
        )
    return Failure(Stage.SCRIPT, "\n".join(words), subject.user_file, line_of(missing[1] if missing else None, text, subject, source))


def line_of(class_name: str | None, text: str, subject: Subject, source: str) -> int | None:
    """Line in the user's file. JMeter's own line number counts in the file that Taurus wrote anew, so the class is looked up."""
    if class_name and source:
        pattern = re.compile(rf"""[<"'>]{re.escape(class_name)}\b""")
        for number, line in enumerate(source.splitlines(), start=1):
            if pattern.search(line):
                return number
    found = _LINE.search(text)
    unchanged = subject.user_file is not None and subject.file == subject.workspace / subject.user_file
    return int(found[1]) if found and unchanged else None


def read_source(subject: Subject) -> str:
    """The user's JMX as text; what is no UTF-8 does not matter for finding a line."""
    if subject.user_file is None:
        return ""
    try:
        return (subject.workspace / subject.user_file).read_text("utf-8", "replace")
    except OSError:
        return ""


def user_classpath(properties: Path | None) -> str:
    """JMeter adds the folders of `user.classpath` and every jar in them."""
    if properties is None:
        return ""
    try:
        lines = properties.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    entries = [line.split("=", 1)[1].strip() for line in lines if line.startswith("user.classpath=")]
    folders = [folder for entry in entries for folder in entry.split(":") if folder]
    return ":".join(part for folder in folders for part in ([folder, f"{folder}/*"] if Path(folder).is_dir() else [folder]))
