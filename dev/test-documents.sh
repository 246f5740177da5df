#!/usr/bin/env bash
# Runs the commands of docs/users: every block that begins with "```sh test", page by page, in one shell each, in order. Three pages at
# once, because they mostly wait for their runs; pages that use the same example wait for each other, since a test has one run at a time.
# Needs a cluster with Volley and the target, in KUBECONFIG.
source "$(dirname "$0")/steps.sh"

PAGES_AT_ONCE=3
locks=$(mktemp -d)
trap 'rm -rf "$locks"' EXIT

run_page() {
  local page=$1 script folder example lock
  script=$(awk '/^```sh test$/ {inside = 1; next} /^```/ {inside = 0} inside' "$page")
  if [[ -z $script ]]; then
    echo "    ${page##*/}: no commands"
    return
  fi
  # In the order of their names, so that no two pages wait for each other.
  for example in $(grep -oE 'examples/[a-z0-9-]+\.yaml' <<<"$script" | sort -u); do
    exec {lock}>"$locks/${example##*/}"
    flock "$lock"
  done
  SECONDS=0
  folder=$(mktemp -d)
  ln -s "$VOLLEY_ROOT/examples" "$VOLLEY_ROOT/charts" "$folder"
  if ! (cd "$folder" && bash -euo pipefail -c "$script" >"$folder/output" 2>&1); then
    tail -n 40 "$folder/output" >&2
    echo "error: the commands of $page do not work" >&2
    return 1
  fi
  echo "    ${page##*/}: done in $SECONDS s"
  rm -rf "$folder"
}

failures=0
running=0
for page in "$VOLLEY_ROOT"/docs/users/*.md; do
  if ((running == PAGES_AT_ONCE)); then
    wait -n || failures=$((failures + 1))
    running=$((running - 1))
  fi
  run_page "$page" &
  running=$((running + 1))
done
while ((running > 0)); do
  wait -n || failures=$((failures + 1))
  running=$((running - 1))
done
((failures == 0))
