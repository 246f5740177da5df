"""Runs k6 under Taurus with the load, the outputs and the environment that the figures need.

Taurus 1.17.2 has an executor for k6 of its own (bzt/modules/k6.py). Three things of it make figures wrong or lose them:

* It subtracts the ramp-up from `hold-for`, so that the same load lasts shorter than with any other engine.
* Its reader cuts the sample file into pieces of 1 MiB and pairs the rows of each piece by their number: where a piece ends
  inside a request, response times move to other requests. It adds the bytes of a second once for each of its requests.
* It passes no exit code on, and sends SIGTERM each second; k6 takes the second one as the order to leave its samples behind.

`executor` is the class of Taurus' `k6` module here, and `reader` its reader; both are written anew and share nothing with
Taurus' own. `arguments` says which options of k6 a test may set.

k6 is a program of its own (AGPL-3.0): it is started, never linked, and nothing of it is copied.
"""
