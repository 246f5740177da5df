"""Options of `k6 run` that a test may set.

A list of what is allowed: users, times, outputs, thresholds and the API of k6 are Volley's, and so is whatever a later k6 adds.
The API's schema holds the same list (`spec.scenario.k6.arguments`), so that most of it is refused when it is applied.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

WITH_VALUE = (
    "batch",
    "batch-per-host",
    "blacklist-ip",
    "block-hostnames",
    "compatibility-mode",
    "dns",
    "env",
    "max-redirects",
    "min-iteration-duration",
    "rps",
    "tag",
    "user-agent",
)
FLAGS = (
    "discard-response-bodies",
    "insecure-skip-tls-verify",
    "no-connection-reuse",
    "no-setup",
    "no-teardown",
    "no-vu-connection-reuse",
    "throw",
)
PATTERN = rf"^--(({'|'.join(WITH_VALUE)})=[^\x00-\x1f\x7f]+|{'|'.join(FLAGS)})$"
_ALLOWED = re.compile(PATTERN)


class NotAllowed(Exception):
    """An argument that k6 may not be given, and what it may."""


def of(execution: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    """The arguments of an execution: its own list, and Taurus' `modules.k6.cmdline`, which has no spaces inside an argument."""
    given = execution.get("arguments") or []
    if not isinstance(given, list):
        raise NotAllowed("arguments of an execution of k6 is not a list of texts such as --env=HOST=shop.example.com")
    command_line = settings.get("cmdline") or ""
    return allowed([*map(str, given), *str(command_line).split()])


def allowed(arguments: Iterable[str]) -> list[str]:
    """The same arguments, or an error that names the first that is not allowed."""
    arguments = list(arguments)
    for argument in arguments:
        if not _ALLOWED.fullmatch(argument):
            raise NotAllowed(
                f"k6 may not be given {argument[:100]!r}. Write options in one piece, such as --env=HOST=shop.example.com; allowed are "
                f"{', '.join(f'--{name}' for name in sorted((*WITH_VALUE, *FLAGS)))}. Users, times and outputs are set by Volley"
            )
    return arguments
