#!/usr/bin/env bash
# `make test`: everything that must hold before a change lands. Does all its set-up, removes its clusters at the end.
source "$(dirname "$0")/steps.sh"
source "$VOLLEY_ROOT/dev/checks.sh"
source "$VOLLEY_ROOT/dev/install.sh"

remove_clusters() {
  if [[ -x $VOLLEY_BIN/cluster ]]; then
    "$VOLLEY_BIN/cluster" down test api-test >/dev/null 2>&1 || echo "warning: the test clusters could not be removed; run: make clean-cluster" >&2
  fi
}

unit_tests() {
  (cd "$VOLLEY_ROOT" && cargo test --locked --workspace --exclude volley-acceptance)
}

# The tests that need an API server, a worker's environment or both. Each is ignored where its variable is not set, so
# their number is compared with what the code has: none can be left out by accident.
prepared_tests() {
  VOLLEY_TEST_KUBECONFIG=$("$VOLLEY_BIN/cluster" kubeconfig api-test)
  export VOLLEY_TEST_KUBECONFIG
  (cd "$VOLLEY_ROOT" && cargo test --locked --workspace --exclude volley-acceptance -- --ignored)
}

acceptance_tests() {
  VOLLEY_ACCEPTANCE_KUBECONFIG=$KUBECONFIG VOLLEY_BINARY=$VOLLEY_BIN/volley RUST_TEST_THREADS=3 \
    bash -c 'cd "$VOLLEY_ROOT" && cargo test --locked --package volley-acceptance -- --nocapture'
}

trap remove_clusters EXIT

step "Check the toolchains" check_toolchains
step "Install Debian packages" install_packages
remove_clusters
step "Build the development cluster" build_cluster_program
step "Build helm" install_helm
step "Build volley" build_volley
lint_steps
step "Prepare a worker without an image" "$VOLLEY_ROOT/container/taurus/dev-setup.sh"
step "Unit and property tests" unit_tests
step "Tests of the worker's parts with real engines" "$VOLLEY_ROOT/container/taurus/test.sh"
step "Start an API server" "$VOLLEY_BIN/cluster" up --api-server-only api-test
step "Tests against the API server and real workers" prepared_tests
step "Remove the API server" "$VOLLEY_BIN/cluster" down api-test
step "Build the images" build_images
step "Start a cluster" "$VOLLEY_BIN/cluster" up test
KUBECONFIG=$("$VOLLEY_BIN/cluster" kubeconfig test)
export KUBECONFIG
step "Load the images" load_images test
step "Install Volley with Helm" install_chart
step "Start a target to aim at" start_target
step "Whole runs on the cluster" acceptance_tests
step "The commands of the documents" "$VOLLEY_ROOT/dev/test-documents.sh"
print_times
