"""Tests of the worker. `container/taurus/test.sh` runs them; they use the standard library's unittest."""
