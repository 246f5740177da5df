#!/usr/bin/env bash
# `make test`: everything that must hold before a change lands. Does all its set-up, removes its clusters at the end.
source "$(dirname "$0")/steps.sh"
source "$VOLLEY_ROOT/dev/checks.sh"
source "$VOLLEY_ROOT/dev/install.sh"

# Where the tests of EKS clusters judge tokens, at the clusters' address of this machine.
TOKEN_WEBHOOK_PORT=9443

remove_clusters() {
  if [[ -x $VOLLEY_BIN/cluster ]]; then
    "$VOLLEY_BIN/cluster" down test api-test >/dev/null 2>&1 || echo "warning: the test clusters could not be removed; run: make clean-cluster" >&2
  fi
}

# What is compiled: all but the measuring examples, which the lints check.
TESTED=(--lib --bins --tests)

# One compilation for all: the programs that the tests start and the image holds are built by it too.
build_tests() {
  (cd "$VOLLEY_ROOT" && with_progress "$VOLLEY_CACHE/logs/build-tests.log" cargo test --locked --workspace "${TESTED[@]}" --no-run)
  use_volley dev
}

unit_tests() {
  (cd "$VOLLEY_ROOT" && cargo test --locked --workspace "${TESTED[@]}" && cargo test --locked --workspace --doc)
}

# The fuzz targets' properties over their corpora, with the stable compiler.
FUZZ_REPLAY=(env -C "$VOLLEY_ROOT" cargo test --locked --manifest-path fuzz/Cargo.toml)

# Ignored by a plain `cargo test`, because they need an API server, a browser or Taurus with its engines. Each fails without them.
prepared_tests() {
  VOLLEY_TEST_KUBECONFIG=$("$VOLLEY_BIN/cluster" kubeconfig api-test)
  VOLLEY_WORKER_VENV=$VOLLEY_CACHE/worker-venv VOLLEY_JMETER=$VOLLEY_CACHE/jmeter/bin/jmeter VOLLEY_K6=$VOLLEY_CACHE/k6/k6
  VOLLEY_TEST_TOKEN_WEBHOOK=$("$VOLLEY_BIN/cluster" describe api-test | sed -n 's/.*"hostAddress": "\(.*\)".*/\1/p'):$TOKEN_WEBHOOK_PORT
  VOLLEY_MOSQUITTO=/usr/sbin/mosquitto VOLLEY_CHROMIUM=/usr/bin/chromium
  export VOLLEY_TEST_KUBECONFIG VOLLEY_TEST_TOKEN_WEBHOOK VOLLEY_WORKER_VENV VOLLEY_JMETER VOLLEY_K6 VOLLEY_MOSQUITTO VOLLEY_CHROMIUM
  (cd "$VOLLEY_ROOT" && RUST_TEST_THREADS=2 cargo test --locked --workspace --lib \
    --test rules --test aggregation --test api_server --test one_run_per_call --test two_workers --test readers --test report_page -- --ignored)
}

# Writes every state of every object to a file for each kind, until stop_recording: Argo CD's scripts are run over them.
record_objects() {
  export VOLLEY_RECORDED_OBJECTS=$VOLLEY_CACHE/recorded-objects
  rm -rf "$VOLLEY_RECORDED_OBJECTS"
  mkdir -p "$VOLLEY_RECORDED_OBJECTS"
  recorders=()
  local kind
  for kind in loadtests loadtestruns regiontargets; do
    kubectl get "$kind" --all-namespaces --watch --output=json >"$VOLLEY_RECORDED_OBJECTS/$kind.json" 8>&- &
    recorders+=($!)
  done
}

stop_recording() {
  kill "${recorders[@]}"
  # Each of them ends with the status of the signal.
  wait "${recorders[@]}" 2>/dev/null || true
}

check_recorded_objects() {
  stop_recording
  "$VOLLEY_ROOT/gitops/test/check"
}

acceptance_tests() {
  export VOLLEY_ACCEPTANCE_KUBECONFIG=$KUBECONFIG
  (cd "$VOLLEY_ROOT" && RUST_TEST_THREADS=3 cargo test --locked --workspace \
    --test runs --test operator_killed -- --ignored --nocapture)
}

one_at_a_time
trap 'stop_beside; remove_clusters' EXIT

step "Check the toolchains" check_toolchains
# Chromium shows the pages of reports; nothing else needs it.
step "Install Debian packages" install_packages chromium
remove_clusters
step "Build the development cluster" build_cluster_program
step "Build helm" install_helm
lint_steps
step "Build volley and its tests" build_tests
# What is downloaded and what waits for engines leaves the processors to a compilation.
beside "$VOLLEY_CACHE/logs/replay-fuzz.log" "${FUZZ_REPLAY[@]}"
step "Prepare a worker without an image" "$VOLLEY_ROOT/container/taurus/dev-setup.sh"
step "Tests of the worker's parts with real engines" "$VOLLEY_ROOT/container/taurus/test.sh"
step "Wait for the corpora of the fuzz targets, which were replayed meanwhile" finish_beside
step "Unit and property tests" unit_tests
step "Start an API server" "$VOLLEY_BIN/cluster" up --api-server-only --token-webhook-port="$TOKEN_WEBHOOK_PORT" api-test
# Tests wait more than they work, images download more than they compile.
beside "$VOLLEY_CACHE/logs/images.log" "${IMAGES_BUILD[@]}"
step "Tests against the API server, a browser and real workers" prepared_tests
step "Remove the API server" "$VOLLEY_BIN/cluster" down api-test
step "Wait for the images, which were built meanwhile" finish_beside
cluster_with_volley test
record_objects
step "Whole runs on the cluster" acceptance_tests
step "The commands of the documents" "$VOLLEY_ROOT/dev/test-documents.sh"
step "Argo CD's scripts over the objects of these runs" check_recorded_objects
print_times
