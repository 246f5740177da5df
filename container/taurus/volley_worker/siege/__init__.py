"""Runs siege so that its figures say what happened.

Two things of Taurus' executor (bzt/modules/siege.py) would make a test look better or shorter than it was:

* Every answer counts as a success, 404 and 500 too.
* siege gives up after 1,024 failed transactions, and ends as if nothing had happened.

siege is a program of its own (GPL-3.0): it is started, never linked, and nothing of it is copied.
"""

NOTE = (
    "siege: its samples come through Taurus, in whole seconds and hundredths of a second of response time. "
    "siege reports only requests that were answered: those that were refused or timed out are in no figure, only in the engine's log"
)
