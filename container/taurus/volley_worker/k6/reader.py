"""Reads k6's CSV for Taurus' own summary, which the collector checks its figures against.

One row is one value of one metric, stamped in milliseconds. A request is a block of rows: `http_reqs` opens it, and
`http_req_duration` and others follow, each with the same tags, before the next block begins. A gRPC call is one row.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass

from bzt.modules.aggregator import ResultsReader
from bzt.utils import FileReader

# Bytes for one call: Taurus asks each second.
PIECE = 16 * 1024 * 1024
# What a request is measured by; the value of each is in milliseconds.
TIMES = ("http_req_duration", "http_req_waiting", "http_req_connecting", "http_req_tls_handshaking")
# Metrics that are read; rows of others are not even taken apart.
READ = ("metric_name,", "http_reqs,", *(f"{name}," for name in TIMES), "grpc_req_duration,", "vus,")


@dataclass
class Block:
    """A request of which more rows may come."""

    second: int
    label: str
    users: int
    code: str
    error: str | None
    times: dict[str, float]


class Reader(ResultsReader):
    """Rows to Taurus' samples: the order of the file alone pairs them, wherever a read of it ends."""

    def __init__(self, path: str, parent_logger) -> None:
        super().__init__()
        self.log = parent_logger.getChild("Reader")
        self._file = FileReader(filename=path, parent_logger=self.log)
        self._partial = ""
        self._columns: dict[str, int] = {}
        self._block: Block | None = None
        self._users = 0

    def _read(self, final_pass: bool = False) -> Iterator[tuple]:
        for row in self._rows(final_pass):
            if row[0] == "metric_name":
                self._columns = {name: position for position, name in enumerate(row)}
                continue
            if len(row) != len(self._columns):
                self.log.warning("A row of %s fields was left out; the header has %s", len(row), len(self._columns))
                continue
            value = float(row[self._columns["metric_value"]])
            if row[0] == "http_reqs":
                yield from self._close()
                self._block = self._open(row)
            elif row[0] == "grpc_req_duration":
                yield self._call(row, value)
            elif row[0] == "vus":
                self._users = int(value)
            elif self._block is not None:
                self._block.times[row[0]] = value
        if final_pass:
            yield from self._close()

    def _rows(self, final_pass: bool) -> Iterator[list[str]]:
        for piece in self._file.get_lines(size=PIECE, last_pass=final_pass):
            self._partial += piece
            # A line that has no end yet, or a line end inside quotation marks.
            if not self._partial.endswith("\n") or self._partial.count('"') % 2:
                continue
            line, self._partial = self._partial, ""
            if line.startswith(READ):
                yield next(csv.reader([line])) if '"' in line else line.rstrip("\r\n").split(",")

    def _tag(self, row: list[str], name: str) -> str:
        position = self._columns.get(name)
        return "" if position is None else row[position]

    def _call(self, row: list[str], milliseconds: float) -> tuple:
        second, label, code = int(self._tag(row, "timestamp")) // 1000, self._tag(row, "name"), self._tag(row, "status")
        words = None if code == "0" else f"gRPC status {code}"
        return second, label, self._users, milliseconds / 1000, 0.0, 0.0, code, words, "", 0

    def _open(self, row: list[str]) -> Block:
        # k6's own judgement; where the script has turned it off, what any client would call a failure.
        code, error = self._tag(row, "status"), self._tag(row, "error")
        failed = error or self._tag(row, "error_code") or (code.isdigit() and int(code) >= 400)
        if judged := self._tag(row, "expected_response"):
            failed = judged == "false"
        words = (error or f"Response code: {code}") if failed else None
        return Block(int(self._tag(row, "timestamp")) // 1000, self._tag(row, "name"), self._users, code, words, {})

    def _close(self) -> Iterator[tuple]:
        block, self._block = self._block, None
        if block is None:
            return
        duration, waiting, connecting, handshaking = (block.times.get(name, 0.0) / 1000 for name in TIMES)
        # No bytes: k6 counts them per iteration, and any share of a request would be invented. The collector says the same.
        yield block.second, block.label, block.users, duration, connecting + handshaking, waiting, block.code, block.error, "", 0
