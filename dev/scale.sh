# Sourced by test-full.sh: many simulated workers in five regions, against the real operator, storage and aggregator.
# shellcheck shell=bash
#
# The hub is a whole cluster. A region is an API server with its controllers and no node: `simulate-workers` plays that. What came
# of each run lies in a folder of its own; `operator/simulation/src/figures/input.rs` says what is in it.
source "$VOLLEY_ROOT/dev/regions.sh"

SCALE_HUB=scale-hub
SCALE_REGIONS=(scale-1 scale-2 scale-3 scale-4 scale-5)
SCALE_FOLDER=$VOLLEY_CACHE/scale
SCALE_HOLD=${SCALE_HOLD:-2m}
# Hundreds of workers share these processors with what is measured: with the profile of the tests the figures would be its own.
SCALE_PROFILE=${VOLLEY_PROFILE:-release}
SCALE_PROGRAMS=$(programs_of "$SCALE_PROFILE")

remove_scale_clusters() {
  stop_simulation
  [[ -x $VOLLEY_BIN/cluster ]] || return 0
  "$VOLLEY_BIN/cluster" down "$SCALE_HUB" "${SCALE_REGIONS[@]}" >/dev/null 2>&1 ||
    echo "warning: the clusters of this part could not be removed; run: make clean-cluster" >&2
}

build_for_scale() {
  (cd "$VOLLEY_ROOT" && with_progress "$VOLLEY_CACHE/logs/build-scale.log" \
    cargo build --locked --profile "$SCALE_PROFILE" --workspace --bins)
  use_volley "$SCALE_PROFILE"
}

# audited NAME OPTION...: starts a cluster that logs what Volley's accounts ask of its API server, a line for each request.
audited() {
  local name=$1
  shift
  "$VOLLEY_BIN/cluster" up "$@" \
    "--api-server-flag=--audit-policy-file=$SCALE_FOLDER/policy.yaml" \
    "--api-server-flag=--audit-log-path=$SCALE_FOLDER/$name.audit" "$name"
}

write_audit_policy() {
  rm -rf "$SCALE_FOLDER"
  mkdir -p "$SCALE_FOLDER/volumes"
  cat >"$SCALE_FOLDER/policy.yaml" <<END
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [ResponseStarted, ResponseComplete, Panic]
rules:
  - level: Metadata
    userGroups: ["system:serviceaccounts:volley-system", "system:serviceaccounts:volley-region"]
  - level: None
END
}

start_scale_hub() {
  audited "$SCALE_HUB"
  KUBECONFIG=$("$VOLLEY_BIN/cluster" kubeconfig "$SCALE_HUB")
  export KUBECONFIG
  "$VOLLEY_BIN/cluster" load "$VOLLEY_CACHE/images/volley.tar" "$SCALE_HUB"
}

# A region has no node, so it needs no image.
start_scale_regions() {
  local region
  for region in "${SCALE_REGIONS[@]}"; do
    audited "$region" --api-server-only --controller-manager
    install_region_chart "$region"
    join_region "$SCALE_HUB" "$region"
  done
}

# simulate OPTION...: the nodes of all regions, until stop_simulation.
simulate() {
  local region options=()
  for region in "${SCALE_REGIONS[@]}"; do
    options+=(--cluster "$region=$("$VOLLEY_BIN/cluster" kubeconfig "$region")")
  done
  "$SCALE_PROGRAMS/simulate-workers" play "${options[@]}" "$@" \
    --observe "operator=$(process_of operator)" --observe "storage=$(process_of storage)" \
    --volumes "$SCALE_FOLDER/volumes" --records "$SCALE_FOLDER/workers.jsonl" --processes "$SCALE_FOLDER/processes.jsonl" \
    >"$SCALE_FOLDER/simulation.log" 2>&1 &
  echo $! >"$SCALE_FOLDER/simulation.pid"
  for region in "${SCALE_REGIONS[@]}"; do
    on "$region" kubectl wait --for=create "node/$region-simulated" --timeout=30s || {
      tail -n 20 "$SCALE_FOLDER/simulation.log" >&2
      return 1
    }
  done
}

stop_simulation() {
  local pid
  pid=$(cat "$SCALE_FOLDER/simulation.pid" 2>/dev/null) || return 0
  rm -f "$SCALE_FOLDER/simulation.pid"
  kill "$pid" 2>/dev/null || return 0
  while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
}

# scale_test NAME WORKERS: a LoadTest with that many workers, shared evenly by the regions.
scale_test() {
  local region
  cat <<END
apiVersion: volley.dev/v1alpha1
kind: LoadTest
metadata: {name: $1, namespace: default}
spec:
  scenario: {locust: {script: {inline: "# never run: its workers are simulated"}}}
  load: {usersPerWorker: 10, holdFor: $SCALE_HOLD}
  worker: {resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 64Mi}}}
  trigger: Manual
  history: {succeeded: 100, failed: 100}
  regions:
END
  for region in "${SCALE_REGIONS[@]}"; do
    echo "    - {target: $region, workers: $(($2 / ${#SCALE_REGIONS[@]}))}"
  done
}

# scale_run NAME WORKERS: one run to its end; what it left goes to the folder of its name.
scale_run() {
  local name=$1 folder=$SCALE_FOLDER/$1 run
  mkdir -p "$folder"
  scale_test "$name" "$2" | kubectl apply --server-side -f -
  "$VOLLEY_BIN/volley" run "$name" --namespace default
  run=$(kubectl get loadtestruns -n default -l volley.dev/load-test="$name" --sort-by=.metadata.creationTimestamp -o jsonpath='{.items[-1:].metadata.name}')
  kubectl get loadtestrun -n default "$run" -o json >"$folder/run.json"
  "$VOLLEY_BIN/volley" result "$run" --namespace default -o json >"$folder/result.json"
  await_records "$(jq -r .metadata.uid "$folder/run.json")" "$2"
  cp "$SCALE_FOLDER/workers.jsonl" "$SCALE_FOLDER/processes.jsonl" "$folder"
  cp "$SCALE_FOLDER/$SCALE_HUB.audit" "$folder/hub.audit"
  local region
  for region in "${SCALE_REGIONS[@]}"; do cat "$SCALE_FOLDER/$region.audit"; done >"$folder/regions.audit"
}

# await_records UID WORKERS: the result may be there before the last pods have ended, and each is told of at its end.
await_records() {
  local tick
  for tick in {1..120}; do
    (($(grep -c "\"runUid\":\"$1\"" "$SCALE_FOLDER/workers.jsonl") < $2)) || return 0
    sleep 1
  done
  echo "error: after $tick s not all $2 workers of the run have ended; see $SCALE_FOLDER/simulation.log" >&2
  return 1
}

# store_runs TEST RUN.JSON: 100 finished runs of a test, each with the status of a real run.
store_runs() {
  local name=$1 number
  scale_test "$name" 5 | kubectl apply --server-side -f - >/dev/null
  for ((number = 0; number < 100; number++)); do
    printf -- '---\napiVersion: volley.dev/v1alpha1\nkind: LoadTestRun\nmetadata: {name: %s-%d, namespace: default, labels: {volley.dev/load-test: %s}}\nspec: {loadTest: %s, stop: {reason: it is only to be stored}}\n' \
      "$name" "$number" "$name" "$name"
  done | kubectl create -f - >/dev/null
  kubectl wait --for=condition=Finished loadtestruns -n default -l volley.dev/load-test="$name" --timeout=180s >/dev/null
  kubectl get loadtestruns -n default -l volley.dev/load-test="$name" -o json |
    jq --slurpfile like "$2" '.items[].status = $like[0].status' |
    kubectl replace --subresource=status -f - >/dev/null
  printf '    %s: %d runs are stored\n' "$name" "$(kubectl get loadtestruns -n default -l volley.dev/load-test="$name" --no-headers | wc -l)"
}

scale_table() {
  "$SCALE_PROGRAMS/simulate-workers" figures "$@"
}
