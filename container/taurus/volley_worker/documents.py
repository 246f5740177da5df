"""The JSON documents between launcher, gate and collector, as docs/contributors/worker-contract.md lists them."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

VERSION = 1
# Bytes of an engine's words in failed.json.
MAXIMUM_WORDS = 2048
# Bytes of a document of the collector; a real one has a few hundred.
MAXIMUM_DOCUMENT = 1 << 20
MAXIMUM_UPLOAD_SECONDS = 3600


class DocumentError(Exception):
    """A document of the collector that does not follow the contract."""


class Stage(StrEnum):
    """Where a worker failed."""

    CONFIGURATION = "Configuration"
    SCRIPT = "Script"
    PREPARE = "Prepare"
    START = "Start"


@dataclass(frozen=True)
class Failure:
    """Why a worker cannot run, or has no result."""

    stage: Stage
    words: str
    """What the engine or Taurus said; longer than MAXIMUM_WORDS is cut when written."""
    file: str | None = None
    """The user's file, relative to the workspace."""
    line: int | None = None
    """Line in that file, from 1."""

    def document(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "stage": str(self.stage),
            "file": self.file,
            "line": self.line,
            "words": clip(self.words, MAXIMUM_WORDS),
        }


@dataclass(frozen=True)
class Script:
    """A script that the gate has to check."""

    engine: str
    file: str
    """Relative to the workspace."""


@dataclass(frozen=True)
class Launch:
    """`launch.json`: what to run."""

    configurations: tuple[str, ...]
    """Relative to the workspace, in the order in which Taurus merges them."""
    scripts: tuple[Script, ...]
    upload_timeout: float
    """Seconds to wait for `uploaded` at the end."""


def clip(text: str, limit: int) -> str:
    """Cut to at most `limit` bytes of UTF-8, between characters, with a mark where something is missing."""
    text = text.strip()
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= limit:
        return encoded.decode("utf-8")
    mark = " …"
    return encoded[: limit - len(mark.encode())].decode("utf-8", "ignore").rstrip() + mark


def now() -> str:
    """This instant in RFC 3339, UTC, with milliseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Write so that a reader sees nothing or all of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(document, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.rename(path)


def read(path: Path) -> dict[str, Any]:
    """Read a document of version 1."""
    try:
        with path.open("rb") as handle:
            content = handle.read(MAXIMUM_DOCUMENT + 1)
        if len(content) > MAXIMUM_DOCUMENT:
            raise DocumentError(f"{path.name} is larger than {MAXIMUM_DOCUMENT} bytes")
        document = json.loads(content)
    except (OSError, ValueError) as error:
        raise DocumentError(f"{path.name} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise DocumentError(f"{path.name} is not an object")
    if document.get("version") != VERSION:
        raise DocumentError(f"{path.name} has version {document.get('version')!r}; this image knows version {VERSION}")
    return document


def in_workspace(value: Any, what: str) -> str:
    """A path below `workspace/` of the control folder, as the contract writes it, relative to the workspace."""
    if not isinstance(value, str):
        raise DocumentError(f"launch.json: {what} is not a path")
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or len(path.parts) < 2 or path.parts[0] != "workspace":
        raise DocumentError(f"launch.json: {what} {value!r} is not below workspace/")
    return str(path.relative_to("workspace"))


def read_launch(path: Path) -> Launch:
    """Read and check `launch.json`."""
    document = read(path)
    configurations = document.get("configurations")
    if not isinstance(configurations, list) or not configurations:
        raise DocumentError("launch.json: configurations is not a list with at least one path")
    scripts = document.get("scripts", [])
    if not isinstance(scripts, list) or not all(isinstance(item, dict) and isinstance(item.get("engine"), str) for item in scripts):
        raise DocumentError("launch.json: scripts is not a list of {engine, file}")
    timeout = document.get("uploadTimeoutSeconds")
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= MAXIMUM_UPLOAD_SECONDS:
        raise DocumentError(f"launch.json: uploadTimeoutSeconds is not a number above 0, at most {MAXIMUM_UPLOAD_SECONDS}")
    return Launch(
        configurations=tuple(in_workspace(item, "configuration") for item in configurations),
        scripts=tuple(Script(item["engine"], in_workspace(item.get("file"), "script")) for item in scripts),
        upload_timeout=float(timeout),
    )
