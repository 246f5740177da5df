#!/usr/bin/env bash
# The step of `make test-full PART=fuzz`, also by itself: dev/fuzz.sh [TARGET...]. Looks for bytes that break the properties of fuzz/, as many
# targets at a time as VOLLEY_FUZZ_JOBS says (2), VOLLEY_FUZZ_SECONDS each (900). What it learns stays in $VOLLEY_CACHE/fuzz, also what it finds.
# `dev/fuzz.sh --keep-corpus [TARGET...]` puts some of the inputs that reach everything reached so far into fuzz/corpus.
source "$(dirname "$0")/steps.sh"

CARGO_FUZZ_VERSION=0.13.2
# The one place that pins the compiler: its name for rustup, and the date that it tells itself.
FUZZ_TOOLCHAIN=nightly-2026-05-20
FUZZ_TOOLCHAIN_DATE=2026-05-19
FUZZ_SECONDS=${VOLLEY_FUZZ_SECONDS:-900}
FUZZ_AT_A_TIME=${VOLLEY_FUZZ_JOBS:-2}
# Bytes of an input, so that rows of 64 KiB are within reach; MiB of memory, all together and at once; seconds for one input.
FUZZ_LIMITS=(-max_len=100000 -rss_limit_mb=1024 -malloc_limit_mb=256 -timeout=10)
# Kept in fuzz/corpus beside the seeds: inputs of at most this many bytes, and so many of them per target.
FUZZ_KEPT_BYTES=4096
FUZZ_KEPT_FILES=40

# find_toolchain: sets `toolchain` to an installed compiler of the pinned date, whatever its name.
find_toolchain() {
  need rustup "it runs the nightly compiler that libFuzzer needs" "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y"
  local name
  for name in "$FUZZ_TOOLCHAIN" nightly; do
    if rustup run "$name" rustc --version 2>/dev/null | grep -q " $FUZZ_TOOLCHAIN_DATE)"; then
      toolchain=$name
      return
    fi
  done
  printf 'error: the nightly compiler of %s is missing (libFuzzer needs it).\n  Install it with: rustup toolchain install --profile minimal %s\n' \
    "$FUZZ_TOOLCHAIN_DATE" "$FUZZ_TOOLCHAIN" >&2
  return 1
}

install_cargo_fuzz() {
  if "$VOLLEY_BIN/cargo-fuzz" --version 2>/dev/null | grep -q "$CARGO_FUZZ_VERSION"; then
    echo "    up to date"
    return
  fi
  with_progress "$VOLLEY_CACHE/logs/cargo-fuzz.log" cargo install --locked --quiet --root "$VOLLEY_CACHE" "cargo-fuzz@$CARGO_FUZZ_VERSION"
}

build_targets() {
  find_toolchain || return
  (cd "$VOLLEY_ROOT" && with_progress "$VOLLEY_CACHE/logs/fuzz-build.log" \
    rustup run "$toolchain" cargo fuzz build --features libfuzzer)
}

target_names() {
  (cd "$VOLLEY_ROOT/fuzz/fuzz_targets" && printf '%s\n' *.rs | sed 's/\.rs$//')
}

fuzz_program() {
  printf '%s/x86_64-unknown-linux-gnu/release/%s' "$CARGO_TARGET_DIR" "$1"
}

# fuzz_one TARGET: its inputs, log and findings are in $VOLLEY_CACHE/fuzz/TARGET.
fuzz_one() {
  local folder=$VOLLEY_CACHE/fuzz/$1
  mkdir -p "$folder/inputs" "$folder/findings"
  exec nice -n 19 "$(fuzz_program "$1")" "${FUZZ_LIMITS[@]}" -max_total_time="$FUZZ_SECONDS" -print_final_stats=1 \
    -artifact_prefix="$folder/findings/" "$folder/inputs" "$VOLLEY_ROOT/fuzz/corpus/$1" >"$folder/log" 2>&1
}

# show_progress TARGET...: one line each with what libFuzzer said last: inputs tried, places reached, inputs kept, tries a second.
show_progress() {
  local target
  for target in "$@"; do
    printf '    %5d s  %-18s %s\n' "$SECONDS" "$target" "$(grep -a '^#' "$VOLLEY_CACHE/fuzz/$target/log" 2>/dev/null | tail -n 1 | cut -c1-100)"
  done
}

# Process id to target. What runs in the background does not see an interrupt by itself.
declare -A running=()
trap '((${#running[@]} == 0)) || kill "${!running[@]}" 2>/dev/null' EXIT

# fuzz_all TARGET...: a finding of one does not end the others.
fuzz_all() {
  local waiting=("$@") failed=0 target status pid tick
  while ((${#waiting[@]} + ${#running[@]} > 0)); do
    while ((${#waiting[@]} > 0 && ${#running[@]} < FUZZ_AT_A_TIME)); do
      fuzz_one "${waiting[0]}" &
      running[$!]=${waiting[0]}
      waiting=("${waiting[@]:1}")
    done
    for tick in {1..30}; do
      sleep 1
      for pid in "${!running[@]}"; do
        kill -0 "$pid" 2>/dev/null && continue
        target=${running[$pid]}
        unset "running[$pid]"
        status=0
        wait "$pid" || status=$?
        if ((status == 0)); then
          printf '    %5d s  %-18s no finding: %s\n' "$SECONDS" "$target" "$(grep -a '^Done' "$VOLLEY_CACHE/fuzz/$target/log" | tail -n 1)"
        else
          failed=1
          show_finding "$target"
        fi
        break 2
      done
    done
    ((tick < 30)) || show_progress "${running[@]}"
  done
  return "$failed"
}

show_finding() {
  local folder=$VOLLEY_CACHE/fuzz/$1 finding
  finding=$(ls -t "$folder/findings" | head -n 1)
  printf '\n    FINDING of %s: %s\n' "$1" "$folder/findings/$finding" >&2
  grep -aE -A 6 'panicked at|ERROR: |SUMMARY: ' "$folder/log" | head -n 30 | sed 's/^/      /' >&2
  printf '    Again: %s %s\n    Then fix it and put the file into fuzz/corpus/%s.\n\n' "$(fuzz_program "$1")" "$folder/findings/$finding" "$1" >&2
}

# keep_corpus TARGET...: of the inputs that libFuzzer needs to reach everything, some of every size are kept beside the seeds.
keep_corpus() {
  local target merged file files step number
  for target in "$@"; do
    merged=$(mktemp -d)
    "$(fuzz_program "$target")" "${FUZZ_LIMITS[@]}" -max_len="$FUZZ_KEPT_BYTES" -set_cover_merge=1 "$merged" \
      "$VOLLEY_ROOT/fuzz/corpus/$target" "$VOLLEY_CACHE/fuzz/$target/inputs" >"$VOLLEY_CACHE/fuzz/$target/merge.log" 2>&1
    # Inputs that libFuzzer made are named by their digest; the seeds have names of their own and stay.
    find "$VOLLEY_ROOT/fuzz/corpus/$target" -type f -regextype posix-extended -regex '.*/[0-9a-f]{40}' -delete
    mapfile -t files < <(find "$merged" -type f -regextype posix-extended -regex '.*/[0-9a-f]{40}' -printf '%s %p\n' | sort -n | cut -d' ' -f2-)
    step=$(((${#files[@]} + FUZZ_KEPT_FILES - 1) / FUZZ_KEPT_FILES))
    for ((number = 0; number < ${#files[@]}; number += step)); do
      cp "${files[$number]}" "$VOLLEY_ROOT/fuzz/corpus/$target/"
    done
    rm -rf "$merged"
    printf '    %-20s %d files\n' "$target" "$(find "$VOLLEY_ROOT/fuzz/corpus/$target" -type f | wc -l)"
  done
}

keep=0
if [[ ${1:-} == --keep-corpus ]]; then
  keep=1
  shift
fi
targets=("$@")
if ((${#targets[@]} == 0)); then
  mapfile -t targets < <(target_names)
fi
step "Install cargo-fuzz" install_cargo_fuzz
step "Build the fuzz targets" build_targets
if ((keep)); then
  step "Put what was learned into fuzz/corpus" keep_corpus "${targets[@]}"
else
  step "Fuzz ${#targets[@]} targets, $FUZZ_SECONDS s each" fuzz_all "${targets[@]}"
fi
