#!/usr/bin/env bash
# Lints and format of the worker's Python: container/taurus/lint.sh [--fix]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${VOLLEY_CACHE:-$HOME/.cache/volley}
ruff=0.17.6
venv=$cache/ruff-$ruff
if [ ! -x "$venv/bin/ruff" ]; then
	python3 -m venv "$venv"
	"$venv/bin/pip" install --quiet --disable-pip-version-check "ruff==$ruff"
fi
cd "$here"
if [ "${1:-}" = --fix ]; then
	"$venv/bin/ruff" check --no-cache --fix .
	"$venv/bin/ruff" format --no-cache .
else
	"$venv/bin/ruff" check --no-cache --quiet .
	"$venv/bin/ruff" format --no-cache --quiet --check . || {
		echo "run container/taurus/lint.sh --fix" >&2
		exit 1
	}
fi
