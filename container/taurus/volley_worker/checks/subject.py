"""What is checked."""

from collections.abc import Callable, Mapping, Sequence
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
    k6: Path
    properties: Path | None = None
    """JMeter's properties of this execution."""
    arguments: Sequence[str] = ()
    """k6's arguments of this execution."""
    note: Callable[[str], None] = lambda text: None
    """Takes what a reader of the result should know about the script, although it can run."""
    abandon: Callable[[], bool] = lambda: False
    """Says when the answer is no longer wanted, because a stop has come."""
    timeout: float = 90.0
    """Seconds for the check. Eight JVMs that start on two cores take 8 s; this is ten times that."""

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return self.user_file or "the script that Taurus made from the requests"
