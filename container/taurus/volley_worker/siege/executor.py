"""Taurus' executor for siege; see the package."""

import http
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bzt.modules.siege import SiegeExecutor

# What Taurus' reader needs, as its own executor writes it, and no bound of failures (siege reads a C `int`).
SETTINGS = """\
verbose = true
csv = true
timestamp = false
fullurl = true
display-id = true
show-logfile = false
logging = false
failures = 2147483647
"""


class Executor(SiegeExecutor):
    """Named in the forced configuration; see volley_worker.configuration."""

    def prepare(self) -> None:
        settings = Path(self.engine.create_artifact("siegerc", ""))
        settings.write_text(SETTINGS)
        self.execution["rc-file"] = str(settings)
        super().prepare()
        self.reader._read = judged(self.reader._read)

    @property
    def addresses(self) -> str | None:
        """The file of addresses that siege will read."""
        return self._SiegeExecutor__url_name


def judged(read: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """`read` with answers of 400 and above as failures: the rule of JMeter where nothing is asserted, and siege has no assertions."""

    def _read(*arguments: Any, **named: Any) -> Iterator[Any]:
        for sample in read(*arguments, **named):
            yield (*sample[:7], error(sample[6]), *sample[8:]) if isinstance(sample, list | tuple) else sample

    return _read


def error(code: str) -> str | None:
    """Why an answer with that code is a failure; `None`: it is none."""
    if not code.isdigit() or int(code) < 400:
        return None
    try:
        return http.HTTPStatus(int(code)).phrase
    except ValueError:
        return f"HTTP {code}"
