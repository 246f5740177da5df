#!/usr/bin/env bash
# Runs the commands of docs/users: every block that begins with "```sh test", page by page, in one shell each, in order.
# Needs a cluster with Volley and the target, in KUBECONFIG.
source "$(dirname "$0")/steps.sh"

run_page() {
  local page=$1 script folder
  script=$(awk '/^```sh test$/ {inside = 1; next} /^```/ {inside = 0} inside' "$page")
  if [[ -z $script ]]; then
    echo "    ${page##*/}: no commands"
    return
  fi
  folder=$(mktemp -d)
  ln -s "$VOLLEY_ROOT/examples" "$folder/examples"
  echo "    ${page##*/}"
  if ! (cd "$folder" && bash -euo pipefail -c "$script" >"$folder/output" 2>&1); then
    tail -n 40 "$folder/output" >&2
    echo "error: the commands of $page do not work" >&2
    return 1
  fi
  rm -rf "$folder"
}

for page in "$VOLLEY_ROOT"/docs/users/*.md; do
  run_page "$page"
done
