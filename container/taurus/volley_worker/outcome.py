"""What the end of Taurus means: the decision as a pure function."""

from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the main container; the Job's failure rules read them."""

    DONE = 0
    NEEDS_CHANGE = 64
    NO_RESULT = 65
    REFUSED = 66
    BROKEN_CONTRACT = 70


@dataclass(frozen=True)
class Seen:
    """What the launcher knows when Taurus has ended."""

    released: bool
    """The gate was opened."""
    samples: bool
    """At least one sample was written."""
    stopped: bool
    """A stop was asked for by the collector."""
    evicted: bool
    """This container was told to end (SIGTERM)."""
    prepared: bool
    """The gate has written prepared.json."""
    failed: bool
    """The gate has written failed.json."""
    refused: bool
    """The collector has written refused.json."""


def decide(seen: Seen) -> ExitCode:
    """The exit code. Taurus' own code takes no part: 1 may be a stopped JMeter with long requests, 0 one with only errors."""
    if seen.released:
        return ExitCode.DONE if seen.samples or seen.stopped or seen.evicted else ExitCode.NO_RESULT
    if seen.refused:
        # Before a failure: the collector looks for one before it refuses, so this one came too late to be uploaded.
        return ExitCode.REFUSED
    if seen.failed:
        return ExitCode.NEEDS_CHANGE
    if seen.stopped:
        return ExitCode.DONE
    if seen.evicted or seen.prepared:
        # Nothing is wrong with the test and nothing has begun: a replacement can take the place. (Prepared: Taurus was
        # killed while it was held, or held for too long.)
        return ExitCode.BROKEN_CONTRACT
    return ExitCode.NEEDS_CHANGE
