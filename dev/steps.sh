# Sourced by the scripts of this folder: steps with their time, checks for tools, the folders that everything shares.
# shellcheck shell=bash

set -Eeuo pipefail

VOLLEY_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export VOLLEY_ROOT
export VOLLEY_CACHE=${VOLLEY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/volley}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$VOLLEY_CACHE/target}
export VOLLEY_BIN=$VOLLEY_CACHE/bin
export PATH=$VOLLEY_BIN:$PATH
mkdir -p "$VOLLEY_BIN"

step_names=()
step_seconds=()
run_started=$SECONDS
current_step=
step_began=0

# A command that fails ends the script and says in which step. A subshell only ends: its parent tells.
failed() {
  local status=$?
  if [[ -n $current_step && $BASHPID == "$$" ]]; then
    printf '\n==> FAILED: %s (after %d s)\n' "$current_step" $((SECONDS - step_began)) >&2
    print_times >&2
  fi
  exit "$status"
}
trap failed ERR

# step NAME COMMAND...: says what it does, runs it, remembers how long it took. A failure ends the script and says which step.
# The command stands in no condition: bash would go on behind each failure inside it.
step() {
  current_step=$1 step_began=$SECONDS
  shift
  printf '\n==> %s\n' "$current_step"
  # Descriptor 8 is the lock of one_at_a_time; what goes on running after this command must not keep it.
  "$@" 8>&-
  step_names+=("$current_step")
  step_seconds+=($((SECONDS - step_began)))
  printf '    %s: done in %d s\n' "$current_step" $((SECONDS - step_began))
  current_step=
}

# with_progress LOG COMMAND...: output goes to LOG; every 10 s one line says how long it has been running and the newest line.
# On failure the end of LOG is shown.
with_progress() {
  local log=$1 began=$SECONDS pid
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 &
  pid=$!
  local waited=0
  while kill -0 "$pid" 2>/dev/null; do
    sleep 1
    waited=$((waited + 1))
    if ((waited % 10 == 0)); then
      printf '    %4d s  %s\n' $((SECONDS - began)) "$(tail -n 1 "$log" | tr -d '\r' | cut -c1-110)"
    fi
  done
  wait "$pid" || show_end "$log"
}

# show_end LOG: what a command said last that failed; fails itself.
show_end() {
  tail -n 60 "$1" >&2
  printf '    the whole output: %s\n' "$1" >&2
  return 1
}

# beside LOG PROGRAM...: runs in the background, output to LOG. finish_beside waits for it, and shows the end of LOG where it failed;
# stop_beside ends it with all that it started, where it still runs.
beside() {
  beside_log=$1
  shift
  mkdir -p "$(dirname "$beside_log")"
  setsid "$@" >"$beside_log" 2>&1 8>&- &
  beside_pid=$!
}

stop_beside() {
  # It may have ended by itself; this runs while the script ends and must not stop that.
  [[ -z ${beside_pid:-} ]] || kill -- "-$beside_pid" 2>/dev/null || true
}

finish_beside() {
  local status=0
  wait "$beside_pid" || status=$?
  beside_pid=
  ((status == 0)) || show_end "$beside_log"
}

# one_at_a_time: checkouts share binaries and images, so that only one of these commands works at a time on a machine.
one_at_a_time() {
  exec 8>"$VOLLEY_CACHE/command.lock"
  if ! flock --nonblock 8; then
    echo "Another make demo, test, test-full or figures works on this machine; waiting for it."
    flock 8
  fi
}

# print_times: where the minutes went.
print_times() {
  printf '\nWhere the time went:\n'
  local i
  for i in "${!step_names[@]}"; do
    printf '  %5d s  %s\n' "${step_seconds[$i]}" "${step_names[$i]}"
  done
  printf '  %5d s  in all\n' $((SECONDS - run_started))
}

# need COMMAND WHAT HOW: a missing toolchain is named with the command that installs it.
need() {
  if ! command -v "$1" >/dev/null 2>&1; then
    printf 'error: %s is missing (%s).\n  Install it with: %s\n' "$1" "$2" "$3" >&2
    return 1
  fi
}

check_toolchains() {
  local missing=0
  need cargo "Rust builds Volley" "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --default-toolchain 1.95.0 && . ~/.cargo/env" || missing=1
  need go "Go builds the development clusters, 1.26 or newer" \
    "curl -fsSL https://go.dev/dl/go1.26.8.linux-amd64.tar.gz | tar -C /usr/local -xz && export PATH=\$PATH:/usr/local/go/bin" || missing=1
  if [[ $(id -u) -ne 0 ]]; then
    echo "error: run this as root: the development clusters need network namespaces and containerd." >&2
    missing=1
  fi
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "error: apt-get is missing: these commands set up a Debian machine. On another system install the packages of dev/packages.txt yourself." >&2
    missing=1
  fi
  return "$missing"
}

# install_packages [PACKAGE...]: the Debian packages of dev/packages.txt, and further ones, that are not there yet.
install_packages() {
  local wanted=() package
  while read -r package _; do
    [[ -z $package || $package == \#* ]] && continue
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || wanted+=("$package")
  done < <(cat "$VOLLEY_ROOT/dev/packages.txt" && printf '%s\n' "$@")
  if ((${#wanted[@]} == 0)); then
    echo "    all packages are there"
    return
  fi
  echo "    installing: ${wanted[*]}"
  with_progress "$VOLLEY_CACHE/logs/apt.log" sh -c 'apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"' sh "${wanted[@]}"
}

# inputs_digest PATH...: digest of the names and contents of files, tracked or not, below paths of the checkout.
inputs_digest() {
  (cd "$VOLLEY_ROOT" && git ls-files -co --exclude-standard -- "$@" | LC_ALL=C sort | while read -r file; do
    [[ -f $file ]] && printf '%s ' "$file" && sha256sum <"$file"
  done) | sha256sum | cut -c1-16
}

# up_to_date NAME PATH...: true when NAME was built from these inputs; `record_build NAME PATH...` says so afterwards.
up_to_date() {
  local name=$1
  shift
  [[ -f $VOLLEY_CACHE/built/$name && $(cat "$VOLLEY_CACHE/built/$name") == "$(inputs_digest "$@")" ]]
}

record_build() {
  local name=$1
  shift
  mkdir -p "$VOLLEY_CACHE/built"
  inputs_digest "$@" >"$VOLLEY_CACHE/built/$name"
}

build_cluster_program() {
  if [[ -x $VOLLEY_BIN/cluster && -x $VOLLEY_BIN/coredns && -x $VOLLEY_BIN/pause ]] && up_to_date cluster dev/cluster; then
    echo "    up to date"
    return
  fi
  with_progress "$VOLLEY_CACHE/logs/build-cluster.log" "$VOLLEY_ROOT/dev/cluster/build" "$VOLLEY_BIN"
  ln -sf cluster "$VOLLEY_BIN/kubectl"
  record_build cluster dev/cluster
}

HELM_VERSION=v4.3.1
# Without the compiler's optimisations, which cost a quarter of the time and which nobody would notice here.
install_helm() {
  if [[ -x $VOLLEY_BIN/helm ]] && "$VOLLEY_BIN/helm" version --short 2>/dev/null | grep -q "^v4"; then
    echo "    up to date"
    return
  fi
  with_progress "$VOLLEY_CACHE/logs/build-helm.log" env GOBIN="$VOLLEY_BIN" go install "-gcflags=all=-N -l" "helm.sh/helm/v4/cmd/helm@$HELM_VERSION"
}

# Without the ways to discover targets, each of which brings the client of a cloud: rules need none.
PROMTOOL_VERSION=v0.316.0
install_promtool() {
  if [[ -x $VOLLEY_BIN/promtool ]] && go version -m "$VOLLEY_BIN/promtool" | grep -q "prometheus/prometheus.$PROMTOOL_VERSION"; then
    echo "    up to date"
    return
  fi
  with_progress "$VOLLEY_CACHE/logs/build-promtool.log" env CGO_ENABLED=0 GOBIN="$VOLLEY_BIN" \
    go install -trimpath -tags remove_all_sd "github.com/prometheus/prometheus/cmd/promtool@$PROMTOOL_VERSION"
}

# programs_of PROFILE: the folder where cargo puts them.
programs_of() {
  echo "$CARGO_TARGET_DIR/${1/#dev/debug}"
}

# use_volley PROFILE: the binary that was built with it, for people, tests and images.
use_volley() {
  install -m 0755 "$(programs_of "$1")/volley" "$VOLLEY_BIN/volley"
  export VOLLEY_BINARY=$VOLLEY_BIN/volley
}

build_volley() {
  (cd "$VOLLEY_ROOT" && with_progress "$VOLLEY_CACHE/logs/build-volley.log" cargo build --locked --package volley)
  install -m 0755 "$(programs_of dev)/volley" "$VOLLEY_BIN/volley"
}
