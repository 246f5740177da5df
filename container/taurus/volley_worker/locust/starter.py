"""Run Taurus' wrapper of Locust with a sample file that takes every text.

    python3 -P starter.py WRAPPER OPTIONS OF LOCUST...

Imports nothing but the standard library itself: Locust patches it (gevent) when it is imported, which the wrapper does
before it imports Taurus. The other way round, TLS connections would not be Locust's.
"""

import functools
import importlib.util
import sys
from types import ModuleType


def load(path: str) -> ModuleType:
    """The wrapper as a module; it starts nothing by itself then."""
    spec = importlib.util.spec_from_file_location("locustio_taurus_wrapper", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Entry point. Locust reads the rest of `sys.argv`."""
    wrapper = load(sys.argv.pop(1))
    # The parameter is Taurus' own: its reader of this file sets it.
    wrapper.guess_csv_dialect = functools.partial(wrapper.guess_csv_dialect, force_doublequote=True)
    # A lone surrogate (part of a file name or of a cut JSON text) cannot be UTF-8; the wrapper would lose that sample too.
    wrapper.open = functools.partial(open, encoding="utf-8", errors="backslashreplace")
    wrapper.LocustStarter().execute()


if __name__ == "__main__":
    main()
