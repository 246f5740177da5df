# Sourced by lint.sh and test.sh: the checks that need no cluster.
# shellcheck shell=bash

check_rust_format() {
  (cd "$VOLLEY_ROOT" && cargo fmt --all --check && cargo fmt --manifest-path fuzz/Cargo.toml --check)
}

check_rust_lints() {
  (cd "$VOLLEY_ROOT" && with_progress "$VOLLEY_CACHE/logs/clippy.log" cargo clippy --locked --workspace --all-targets -- -D warnings)
  (cd "$VOLLEY_ROOT" && with_progress "$VOLLEY_CACHE/logs/clippy-fuzz.log" \
    cargo clippy --locked --manifest-path fuzz/Cargo.toml --lib --tests -- -D warnings)
}

check_go() {
  "$VOLLEY_ROOT/dev/cluster/check"
  if [[ -n $(gofmt -l "$VOLLEY_ROOT/container/target") ]]; then
    echo "container/target is not formatted (gofmt -w container/target)" >&2
    return 1
  fi
  (cd "$VOLLEY_ROOT/container/target" && go vet ./... && go test ./...)
  "$VOLLEY_ROOT/gitops/test/check"
}

check_generated() {
  (cd "$VOLLEY_ROOT" && cargo xtask generate --check && cargo xtask check)
}

check_chart() {
  helm lint --strict --quiet "$VOLLEY_ROOT/charts/volley" --set image.volley=volley:test --set image.worker=worker:test
  helm lint --strict --quiet "$VOLLEY_ROOT/charts/volley" --set image.volley=volley:test --set image.worker=worker:test \
    --set storage.embedded.enabled=false --set-string serviceAccounts.operator.annotations."eks\.amazonaws\.com/role-arn"=arn:aws:iam::1:role/volley
  helm lint --strict --quiet "$VOLLEY_ROOT/charts/volley" --set image.volley=volley:test --set image.worker=worker:test \
    --set metrics.serviceMonitor.enabled=true --set metrics.podMonitor.enabled=true --set metrics.rules.enabled=true --set metrics.dashboard.enabled=true
  helm lint --strict --quiet "$VOLLEY_ROOT/charts/volley-region"
  helm lint --strict --quiet "$VOLLEY_ROOT/charts/volley-crds"
  helm lint --strict --quiet "$VOLLEY_ROOT/examples/chart"
  if helm template volley "$VOLLEY_ROOT/charts/volley" >/dev/null 2>&1; then
    echo "the chart renders without images; it must say that image.volley is required" >&2
    return 1
  fi
  if helm template volley "$VOLLEY_ROOT/charts/volley" --set image.volley=a --set image.worker=b --set operator.startDelay=soon >/dev/null 2>&1; then
    echo "the chart takes operator.startDelay=soon; values.schema.json must refuse it" >&2
    return 1
  fi
}

check_shell() {
  local script
  for script in "$VOLLEY_ROOT"/dev/*.sh "$VOLLEY_ROOT"/dev/images/*.sh "$VOLLEY_ROOT"/container/taurus/*.sh "$VOLLEY_ROOT"/.ci/run; do
    bash -n "$script"
  done
}

# The advisory database is fetched from elsewhere and is not part of this: licences, bans and sources need no network.
CARGO_DENY_VERSION=0.20.2
check_licences() {
  if ! "$VOLLEY_BIN/cargo-deny" --version 2>/dev/null | grep -q "$CARGO_DENY_VERSION"; then
    with_progress "$VOLLEY_CACHE/logs/cargo-deny.log" \
      cargo install --locked --quiet --debug --root "$VOLLEY_CACHE" "cargo-deny@$CARGO_DENY_VERSION"
  fi
  (cd "$VOLLEY_ROOT" && cargo-deny --offline check --hide-inclusion-graph licenses bans sources)
}

check_python() {
  "$VOLLEY_ROOT/container/taurus/lint.sh"
}

# lint_steps: what takes the tests' own compilation is left to them; they check generated files and the house too.
lint_steps() {
  step "Shell scripts parse" check_shell
  step "Rust is formatted" check_rust_format
  step "Rust lints" check_rust_lints
  step "Go is formatted, vetted and tested" check_go
  step "Python is formatted and linted" check_python
  step "The chart is sound" check_chart
  step "Licences of what is linked" check_licences
}
