"""Makes Taurus' sample writer for Locust keep every sample.

Taurus starts Locust inside a wrapper of its own (bzt/resources/locustio-taurus-wrapper.py), which writes one CSV row per
request. In Taurus 1.17.2 it lets `csv.Sniffer` guess the dialect from a header without a quotation mark, and so gets one
that neither doubles nor escapes them: each label or message with a `"` raises `csv.Error`, which Locust only logs. The
sample is in no figure, and most of them are failures.

`executor` (in Taurus' process) is the class of Taurus' `locust` module here. It starts Locust through `starter` (in
Locust's process), which runs that same wrapper with quotation marks doubled, as both readers of the file expect: Taurus'
own and the collector's. For the same reason it writes as an escape what UTF-8 has no bytes for.

Nothing of Taurus is copied, or changed on the disk. No other program of the run is touched, as a `sitecustomize` would, of
which a script may have one of its own. A test knows the wrapper by its digest, so an upgrade of Taurus is noticed.
"""
