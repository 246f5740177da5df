"""The main container of a worker: runs Taurus under the control of the collector.

`launcher` is process 1. It starts Taurus and, as the last service of Taurus, `gate`, which checks the scripts with their
own engines and holds the load until the start. The files through which launcher, gate and collector speak are described
in docs/contributors/worker-contract.md.

Only `gate` and the modules `executor` and `reader` of the engines import Taurus; everything else needs the standard library alone.
"""
