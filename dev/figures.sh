#!/usr/bin/env bash
# `make figures`: measures what docs/verification.md reports, with the release build, on a cluster of its own.
source "$(dirname "$0")/steps.sh"
source "$VOLLEY_ROOT/dev/install.sh"
one_at_a_time
export VOLLEY_PROFILE=${VOLLEY_PROFILE:-release}

EXAMPLES=$(programs_of "$VOLLEY_PROFILE")/examples

# With the whole workspace selected: of each other selection the AWS SDK would be compiled anew.
build_profile() {
  (cd "$VOLLEY_ROOT" && with_progress "$VOLLEY_CACHE/logs/build-$VOLLEY_PROFILE.log" \
    cargo build --locked --profile "$VOLLEY_PROFILE" --workspace --bins --examples)
  VOLLEY_BINARY=$(programs_of "$VOLLEY_PROFILE")/volley
  export VOLLEY_BINARY
}

# operator_memory: resident memory of the operator's process, in MiB, a minute after it started and without work.
operator_memory() {
  sleep 60
  awk '/^(VmRSS|RssAnon)/ {printf "    operator, idle: %s %.1f MiB\n", $1, $2 / 1024}' "/proc/$(process_of operator)/status"
}

image_sizes() {
  local image
  for image in volley taurus target; do
    printf '    image %s: %.0f MB\n' "$image" "$(stat -c %s "$VOLLEY_CACHE/images/$image.tar" | awk '{print $1 / 1e6}')"
  done
}

# times_of_run EXAMPLE TEST: seconds from apply to the first sample and from the last sample to the result in the status.
times_of_run() {
  local run created finished document
  "$VOLLEY_BINARY" run --namespace default -f "$VOLLEY_ROOT/examples/$1.yaml" >/dev/null 2>&1
  run=$(kubectl get loadtestruns -n default -l volley.dev/load-test="$2" --sort-by=.metadata.creationTimestamp -o jsonpath='{.items[-1:].metadata.name}')
  created=$(kubectl get loadtestrun -n default "$run" -o jsonpath='{.metadata.creationTimestamp}')
  finished=$(kubectl get loadtestrun -n default "$run" -o jsonpath='{.status.conditions[?(@.type=="Aggregated")].lastTransitionTime}')
  document=$("$VOLLEY_BINARY" result "$run" --namespace default -o json 2>/dev/null)
  jq -r --arg created "$created" --arg finished "$finished" --arg example "$1" '
    def seconds: sub("\\.[0-9]+Z$"; "Z") | fromdate;
    "    \($example): apply to first sample \(([.workers[].firstSampleAt] | min | seconds) - ($created | seconds)) s, " +
    "last sample to status.result \(($finished | seconds) - (.interval.to | seconds)) s (times to the whole second)"' <<<"$document"
}

trap '"$VOLLEY_BIN/cluster" down figures >/dev/null 2>&1' EXIT
step "Build volley ($VOLLEY_PROFILE)" build_profile
step "Build the images" build_images
cluster_with_volley figures
step "Memory of the operator" operator_memory
step "Sizes of the images" image_sizes
step "Times of a Locust run" times_of_run locust browse
step "Times of an HTTP run" times_of_run http checkout
step "The collector at 1,000 samples a second, 50 labels, 60 s" "$EXAMPLES/measure_collector" 1000 60 50
step "The collector at 5,000 samples a second, 50 labels, 60 s" "$EXAMPLES/measure_collector" 5000 60 50
step "The collector with 8 hours of 1,000 samples a second, 200 labels, no live frames" "$EXAMPLES/measure_collector" 1000 120 200 0 8
step "An aggregation of 1,000 workers with 100 labels, 200 samples each" "$EXAMPLES/measure_aggregator" 1000 100 2 200
step "An aggregation of 20 workers with 4,000 labels, 200 samples each" "$EXAMPLES/measure_aggregator" 20 4000 5 200
step "Live figures of 100 workers, 50 labels, 180 s" "$EXAMPLES/measure_live" 100 50 180
step "Live figures of 500 workers, 50 labels, 180 s" "$EXAMPLES/measure_live" 500 50 180
step "A threshold stops 100 workers" "$EXAMPLES/measure_abort" 100
print_times
