#!/usr/bin/env bash
# `make test-full PART=...`: the long tests. Results go to docs/verification.md.
source "$(dirname "$0")/steps.sh"
source "$VOLLEY_ROOT/dev/install.sh"

part=${1:-}
one_at_a_time
case $part in
cluster)
  step "Check the toolchains" check_toolchains
  step "Install Debian packages" install_packages
  step "Build the development cluster" build_cluster_program
  step "Clusters side by side, killed and cleaned" bash -c 'cd "$VOLLEY_ROOT/dev/cluster" && VOLLEY_CLUSTER_TESTS=1 CGO_ENABLED=0 GOFLAGS=-trimpath go test -vet=off -count=1 -timeout 20m -v ./integration'
  ;;
examples)
  step "Check the toolchains" check_toolchains
  step "Install Debian packages" install_packages
  step "Build the development cluster" build_cluster_program
  step "Build helm" install_helm
  step "Build volley" build_volley
  step "Build the images" build_images
  cluster_with_volley test
  for example in http jmeter k6 locust taurus; do
    step "Example $example" "$VOLLEY_BIN/volley" run --namespace default -f "$VOLLEY_ROOT/examples/$example.yaml"
  done
  step "Remove the cluster" "$VOLLEY_BIN/cluster" down test
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
*)
  echo "usage: make test-full PART=cluster|examples|fuzz|rules" >&2
  echo "  cluster   development clusters side by side, killed and cleaned" >&2
  echo "  examples  every example of examples/ on a real cluster" >&2
  echo "  rules     the alert rules, by Prometheus' own tester" >&2
  echo "  fuzz      every fuzz target for VOLLEY_FUZZ_SECONDS (900), two at a time" >&2
  exit 2
  ;;
esac
print_times
