#!/usr/bin/env python3
"""Assemble Apache JMeter from the artifacts of Maven Central.

    assemble.py DESTINATION          fetch, verify against ../jmeter.lock, lay out
    assemble.py --write-lock         fetch and write ../jmeter.lock (after a change of versions.env; review the diff)

Layout as in Apache's binary release: `bin/ApacheJMeter.jar` with the files of ApacheJMeter_config, `lib/ext` for
JMeter's own components and the plugins, `lib` for the rest. The start script `bin/jmeter` is ours: the release's is in no
artifact. The destination appears at once by rename, so an interrupted run leaves nothing half made.
"""

import argparse
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCK = HERE.parent / "jmeter.lock"
VERSIONS = HERE.parent.parent / "versions.env"
# Written into the destination: what it was made from, so that a second run sees that nothing is to be done.
MARKER = ".assembled-from"
FETCH_SECONDS = 900


class AssemblyError(Exception):
    """Why no JMeter could be made, in words for the person at the terminal."""


def read_versions(path: Path) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, value in pairs}


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        for block in iter(lambda: handle.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def read_lock() -> dict[str, str]:
    """The lock's lines are those of sha256sum: digest, two spaces, name of the jar."""
    lines = [line.split() for line in LOCK.read_text().splitlines() if line and not line.startswith("#")]
    return {name: digest for digest, name in lines}


def fetch(folder: Path, versions: dict[str, str]) -> None:
    if shutil.which("mvn") is None:
        raise AssemblyError("mvn is not installed: apt-get install maven")
    goal = f"org.apache.maven.plugins:maven-dependency-plugin:{versions['MAVEN_DEPENDENCY_PLUGIN_VERSION']}:copy-dependencies"
    command = [
        "mvn", "--batch-mode", "--quiet", "--file", str(HERE / "pom.xml"), goal,
        f"-Djmeter.version={versions['JMETER_VERSION']}",
        f"-Dplugin.casutg.version={versions['JMETER_PLUGIN_CASUTG_VERSION']}",
        f"-Dplugin.cmn.version={versions['JMETER_PLUGIN_CMN_VERSION']}",
        f"-Dplugin.tst.version={versions['JMETER_PLUGIN_TST_VERSION']}",
        "-DincludeScope=runtime", f"-DoutputDirectory={folder}",
    ]  # fmt: skip
    try:
        result = subprocess.run(command, timeout=FETCH_SECONDS, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise AssemblyError(f"Maven did not finish within {FETCH_SECONDS} s: run it again") from error
    if result.returncode != 0:
        raise AssemblyError(f"Maven could not fetch JMeter's artifacts (exit code {result.returncode}); its words are above")


def verify(folder: Path) -> None:
    expected = read_lock()
    found = {path.name: sha256(path) for path in sorted(folder.glob("*.jar"))}
    problems = [f"{name}: not in jmeter.lock" for name in sorted(found.keys() - expected.keys())]
    problems += [f"{name}: in jmeter.lock, but not fetched" for name in sorted(expected.keys() - found.keys())]
    problems += [
        f"{name}: sha256 is {found[name]}, jmeter.lock says {expected[name]}"
        for name in sorted(found.keys() & expected.keys())
        if found[name] != expected[name]
    ]
    if problems:
        raise AssemblyError("the artifacts are not those of jmeter.lock:\n  " + "\n  ".join(problems))


def place_of(name: str, versions: dict[str, str]) -> Path:
    if name == f"ApacheJMeter-{versions['JMETER_VERSION']}.jar":
        return Path("bin/ApacheJMeter.jar")
    if name.startswith(("ApacheJMeter_", "jmeter-plugins-")):
        return Path("lib/ext") / name
    return Path("lib") / name


def lay_out(jars: Path, target: Path, versions: dict[str, str]) -> None:
    for folder in ("bin", "lib/ext", "lib/junit"):
        (target / folder).mkdir(parents=True, exist_ok=True)
    for jar in sorted(jars.glob("*.jar")):
        if jar.name.startswith("ApacheJMeter_config-"):
            with zipfile.ZipFile(jar) as archive:
                archive.extractall(target, [entry for entry in archive.namelist() if entry.startswith("bin/")])
        else:
            shutil.copyfile(jar, target / place_of(jar.name, versions))
    for script in sorted((HERE / "bin").iterdir()):
        copy = target / "bin" / script.name
        shutil.copyfile(script, copy)
        copy.chmod(0o755)
    for folder, _, files in os.walk(target):
        os.chmod(folder, 0o755)
        for file in files:
            path = Path(folder) / file
            path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)


def origin() -> str:
    digest = hashlib.sha256()
    for path in [LOCK, VERSIONS, HERE / "pom.xml", HERE / "assemble.py", *sorted((HERE / "bin").iterdir())]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def assemble(destination: Path) -> None:
    marker = destination / MARKER
    if marker.is_file() and marker.read_text() == origin():
        return
    if destination.exists() and not marker.is_file() and any(destination.iterdir()):
        raise AssemblyError(f"{destination} exists and was not made by this program: name another folder or remove it")
    versions = read_versions(VERSIONS)
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=f".{destination.name}-") as scratch:
        jars, target = Path(scratch, "jars"), Path(scratch, "jmeter")
        print(f"JMeter {versions['JMETER_VERSION']}: fetching its artifacts with Maven", flush=True)
        fetch(jars, versions)
        verify(jars)
        lay_out(jars, target, versions)
        (target / MARKER).write_text(origin())
        if destination.exists():
            shutil.rmtree(destination)
        target.rename(destination)
    print(f"JMeter {versions['JMETER_VERSION']}: {len(read_lock())} artifacts verified, assembled in {destination}", flush=True)


def write_lock() -> None:
    versions = read_versions(VERSIONS)
    with tempfile.TemporaryDirectory() as scratch:
        fetch(Path(scratch), versions)
        lines = [f"{sha256(path)}  {path.name}" for path in sorted(Path(scratch).glob("*.jar"))]
    head = "# sha256 of every jar of JMeter and its plugins, as Maven Central serves them. Written by jmeter/assemble.py --write-lock.\n"
    LOCK.write_text(head + "\n".join(lines) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description="Assemble Apache JMeter from Maven Central's artifacts.")
    parser.add_argument("destination", nargs="?", type=Path, help="folder to make")
    parser.add_argument("--write-lock", action="store_true", help="write jmeter.lock instead of verifying against it")
    arguments = parser.parse_args()
    if arguments.write_lock == (arguments.destination is not None):
        parser.error("give either DESTINATION or --write-lock")
    try:
        write_lock() if arguments.write_lock else assemble(arguments.destination.resolve())
    except AssemblyError as error:
        print(f"assemble.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
