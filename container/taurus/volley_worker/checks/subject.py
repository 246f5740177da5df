"""What is checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Subject:
    """A script, and what its engine needs to load it."""

    file: Path
    """The file that the engine will load; JMeter: as Taurus changed it."""
    user_file: str | None
    """The user's file, relative to the workspace; `None` where Taurus generated the script from requests."""
    workspace: Path
    environment: Mapping[str, str]
    jmeter: Path
    """JMeter's start script."""
    properties: Path | None = None
    """JMeter's properties of this execution."""
    abandon: Callable[[], bool] = lambda: False
    """Says when the answer is no longer wanted, because a stop has come."""
    timeout: float = 90.0
    """Seconds for the check. Eight JVMs that start on two cores take 8 s; this is ten times that."""

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return self.user_file or "the script that Taurus made from the requests"
