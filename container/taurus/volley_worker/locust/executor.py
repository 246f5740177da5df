"""Taurus' executor for Locust, with `starter` before the wrapper."""

from pathlib import Path

from bzt.modules._locustio import LocustIOExecutor

STARTER = Path(__file__).with_name("starter.py")


class Executor(LocustIOExecutor):
    """Named in the forced configuration; see volley_worker.configuration."""

    def _execute(self, args, **kwargs):
        """`args` begins with Python and the wrapper.

        A path, not `-m`: a PYTHONPATH that the user sets for the script may lack this package. `-P`: the modules beside
        `starter` must not be imported in the place of the script's own.
        """
        python, *wrapper_and_options = args
        return super()._execute([python, "-P", str(STARTER), *wrapper_and_options], **kwargs)
