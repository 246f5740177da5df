#!/usr/bin/env bash
# The alert rules by Prometheus' own tester: is the file sound, do the alerts fire when they must and only then. The dashboard's
# queries are parsed as rules, too.
set -euo pipefail
cd "$(dirname "$0")"
promtool check rules --lint=all --lint-fatal ../../charts/volley/monitoring/rules.yaml
promtool test rules rules_test.yaml

queries=$(mktemp)
trap 'rm -f "$queries"' EXIT
python3 - ../../charts/volley/monitoring/dashboard.json >"$queries" <<'END'
import json, sys

panels = json.load(open(sys.argv[1], encoding="utf-8"))["panels"]
queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
rules = [
    {"record": f"dashboard:query_{number}", "expr": query.replace("$__rate_interval", "5m")}
    for number, query in enumerate(queries)
]
json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, sys.stdout)
END
promtool check rules "$queries"
