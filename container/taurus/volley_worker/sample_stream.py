"""Writes the samples of an engine of which the collector reads no file.

Taurus has a reader for each of its executors, which turns what the tool leaves behind into samples, one by one, before anything is
added up. This passes each of them on to a file `taurus-samples.csv` in the artifacts, which the collector follows like that of any other
engine. So nothing is folded, rounded or added up in Taurus before we see it: its own aggregator merges similar labels and keeps
response times in whole milliseconds.

What cannot be mended here is what the reader itself does not know. Its times are whole seconds.
"""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# The names of JMeter's columns. The last one tells the file from JMeter's own: its stamps are ends, in whole seconds.
COLUMNS = ("timeStamp", "elapsed", "label", "responseCode", "responseMessage", "success", "bytes", "allThreads", "executor")

Read = Callable[..., Iterator[Any]]


def follow(reader: Any, path: Path, executor: str) -> None:
    """Write each sample that Taurus takes from `reader` to `path`. `reader`: a bzt.modules.aggregator.ResultsReader."""
    # What UTF-8 has no bytes for is written as an escape. Opened for reading too, so that `space` takes what is written for what
    # Taurus has read, and gives it back once the collector has read it.
    file = path.open("w+", encoding="utf-8", errors="backslashreplace", newline="")
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(COLUMNS)
    file.flush()
    reader._read = copied(reader._read, rows, file.flush, executor)


def copied(read: Read, rows: Any, flush: Callable[[], None], executor: str) -> Read:
    """`read` with each sample written to `rows` as it goes by."""

    def _read(*arguments: Any, **named: Any) -> Iterator[Any]:
        try:
            for result in read(*arguments, **named):
                if isinstance(result, list | tuple):
                    rows.writerow(row(result, executor))
                yield result
        finally:
            flush()

    return _read


def row(sample: Any, executor: str) -> tuple[Any, ...]:
    """A row of `COLUMNS` from Taurus' tuple, whose times are in seconds.

    Times to connect and to the first byte are left out: most readers write 0 for a time that their tool does not measure.
    """
    second, label, users, elapsed, _, _, code, error, _, size = sample
    return (
        int(second) * 1000,
        max(0, round(elapsed * 1000)),
        label,
        "" if code is None else code,
        error or "",
        "false" if error else "true",
        int(size or 0),
        "" if users is None else int(users),
        executor,
    )
