#!/usr/bin/env bash
# `make test-full PART=...`: the long tests. Results go to docs/verification.md.
source "$(dirname "$0")/steps.sh"
source "$VOLLEY_ROOT/dev/install.sh"
source "$VOLLEY_ROOT/dev/regions.sh"

part=${1:-}

# programs_and_images: all that a cluster with Volley needs.
programs_and_images() {
  step "Check the toolchains" check_toolchains
  step "Install Debian packages" install_packages
  step "Build the development cluster" build_cluster_program
  step "Build helm" install_helm
  step "Build volley" build_volley
  step "Build the images" build_images
}

# regions_tests TEST THREADS REGION...
regions_tests() {
  local test=$1 threads=$2
  shift 2
  export VOLLEY_ACCEPTANCE_KUBECONFIG=$KUBECONFIG VOLLEY_BINARY=$VOLLEY_BIN/volley VOLLEY_REGIONS="$*"
  (cd "$VOLLEY_ROOT" && RUST_TEST_THREADS=$threads cargo test --locked --workspace --test "$test" -- --ignored --nocapture)
}

# build_examples NAME...: with the whole workspace selected, whose libraries are compiled already.
build_examples() {
  (cd "$VOLLEY_ROOT" && with_progress "$VOLLEY_CACHE/logs/build-examples.log" cargo build --locked --workspace "${@/#/--example=}")
}

one_at_a_time
case $part in
cluster)
  step "Check the toolchains" check_toolchains
  step "Install Debian packages" install_packages
  step "Build the development cluster" build_cluster_program
  step "Clusters side by side, killed and cleaned" bash -c 'cd "$VOLLEY_ROOT/dev/cluster" && VOLLEY_CLUSTER_TESTS=1 CGO_ENABLED=0 GOFLAGS=-trimpath go test -vet=off -count=1 -timeout 20m -v ./integration'
  ;;
examples)
  programs_and_images
  cluster_with_volley test
  for example in http jmeter k6 locust taurus; do
    step "Example $example" "$VOLLEY_BIN/volley" run --namespace default -f "$VOLLEY_ROOT/examples/$example.yaml"
  done
  step "Remove the cluster" "$VOLLEY_BIN/cluster" down test
  ;;
scale)
  source "$VOLLEY_ROOT/dev/scale.sh"
  workers=${2:-500}
  if [[ ! $workers =~ ^[1-9][0-9]{0,3}$ ]] || ((workers % 5 != 0 || workers < 5 || workers > 5000)); then
    echo "error: WORKERS=$workers is no multiple of 5 from 5 to 5000: there are five regions" >&2
    exit 2
  fi
  trap remove_scale_clusters EXIT
  step "Check the toolchains" check_toolchains
  step "Install Debian packages" install_packages
  remove_scale_clusters
  step "Build the development cluster" build_cluster_program
  step "Build helm" install_helm
  step "Build volley and the simulation" build_for_scale
  step "Build the image" "$VOLLEY_ROOT/dev/images/build.sh" volley
  write_audit_policy
  step "Start the hub" start_scale_hub
  step "Install Volley with Helm" install_chart
  step "Let regions reach the storage" let_regions_reach_storage "$SCALE_HUB"
  step "Start five regions and join them" start_scale_regions
  step "Start the simulated nodes" simulate --capacity $((workers / 5))
  step "A run of 5 workers" scale_run few 5
  for stored in stored-1 stored-2; do
    step "Store 100 finished runs" store_runs "$stored" "$SCALE_FOLDER/few/run.json"
  done
  step "A run of $workers workers" scale_run many "$workers"
  printf '\n'
  scale_table "$SCALE_FOLDER/few" "$SCALE_FOLDER/many"
  ;;
live)
  workers=${2:-500}
  if [[ ! $workers =~ ^[1-9][0-9]{0,3}$ ]]; then
    echo "error: WORKERS=$workers is no number from 1 to 9999" >&2
    exit 2
  fi
  step "Check the toolchains" check_toolchains
  step "Install Debian packages" install_packages
  step "Build the measurements" build_examples measure_live measure_abort
  step "A threshold stops 100 workers" "$(programs_of dev)/examples/measure_abort" 100
  step "Live figures of $workers workers" "$(programs_of dev)/examples/measure_live" "$workers" 50 "${VOLLEY_LIVE_SECONDS:-3600}"
  ;;
fuzz)
  step "Check the toolchains" check_toolchains
  "$VOLLEY_ROOT/dev/fuzz.sh"
  ;;
rules)
  step "Check the toolchains" check_toolchains
  step "Build promtool" install_promtool
  step "Alert rules" "$VOLLEY_ROOT/dev/monitoring/test.sh"
  ;;
regions)
  regions=(ashburn dublin tokyo sydney)
  programs_and_images
  cluster_with_volley hub
  step "Let other clusters reach the storage" let_regions_reach_storage hub
  step "Start four more clusters" "$VOLLEY_BIN/cluster" up "${regions[@]}"
  step "Make them regions of the hub" join_regions hub "${regions[@]}"
  step "Make one of them a second hub over another" second_hub sydney tokyo
  step "One test over five regions" regions_tests regions 1 "${regions[@]}"
  step "Regions that go away" regions_tests region_faults 4 "${regions[@]}"
  step "Remove the clusters" "$VOLLEY_BIN/cluster" down hub "${regions[@]}"
  ;;
*)
  echo "usage: make test-full PART=cluster|examples|fuzz|live|regions|rules|scale" >&2
  echo "  cluster   development clusters side by side, killed and cleaned" >&2
  echo "  examples  every example of examples/ on a real cluster" >&2
  echo "  live      live figures of WORKERS simulated workers (500) for VOLLEY_LIVE_SECONDS (3600): lag, processor, memory, aborts" >&2
  echo "  rules     the alert rules, by Prometheus' own tester" >&2
  echo "  scale     WORKERS simulated workers (500) in five regions; prints the table of docs/contributors/scale.md" >&2
  echo "  fuzz      every fuzz target for VOLLEY_FUZZ_SECONDS (900), VOLLEY_FUZZ_JOBS (2) at a time" >&2
  echo "  regions   one test over five clusters: distance, cuts, lost workers, two hubs" >&2
  exit 2
  ;;
esac
print_times
