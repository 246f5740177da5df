#!/usr/bin/env bash
# Tests of the worker, with the real Taurus, Locust, JMeter and k6. Sets them up in the cache first (dev-setup.sh).
#   container/taurus/test.sh [MODULE...]      e.g. test_words; default: all
# The modules run side by side, as many as there are processors; the output of each is shown when it ends.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
eval "$("$here/dev-setup.sh")"
cd "$here"

modules=("$@")
# The longest first.
[ ${#modules[@]} -gt 0 ] || modules=(test_executors test_launch test_locust test_k6 test_jmeter test_parts test_k6_parts test_space test_health test_words test_documents test_outcome)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PYTHONDONTWRITEBYTECODE=1
began=$SECONDS
one() {
	local module=$1 folder=$2 code=0 began=$SECONDS
	timeout 400 python3 -m unittest "tests.$module" >"$folder/$module" 2>&1 || code=$?
	echo "== $module ($((SECONDS - began)) s)"
	grep -vE '^[0-9:]{8} (INFO|WARNING|DEBUG): ' "$folder/$module" || true
	return "$code"
}
export -f one
code=0
printf '%s\n' "${modules[@]}" | xargs -P "$(nproc)" -I{} bash -c 'one "$@"' _ {} "$folder" || code=1

ran=$(cat "$folder"/* | sed -nE 's/^Ran ([0-9]+) tests?.*/\1/p' | awk '{n += $1} END {print n + 0}')
bad=$(cat "$folder"/* | grep -cE '^(FAIL|ERROR): ' || true)
echo "worker: $((SECONDS - began)) s"
echo "$((ran - bad)) passed, $bad failed"
[ "$ran" -gt 0 ] || code=1
exit "$code"
