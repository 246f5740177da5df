# Sourced by test-full.sh: a hub and regions, each a cluster of its own, as docs/users/add-a-region.md makes them.
# shellcheck shell=bash

# on CLUSTER COMMAND...: the command with that cluster's kubeconfig.
on() {
  local cluster=$1
  shift
  KUBECONFIG=$("$VOLLEY_BIN/cluster" kubeconfig "$cluster") "$@"
}

# node_address CLUSTER: where other clusters reach its NodePorts.
node_address() {
  "$VOLLEY_BIN/cluster" describe "$1" | sed -n 's/.*"nodeAddress": "\(.*\)".*/\1/p'
}

# let_regions_reach_storage HUB: the embedded storage at a port of the hub's node.
let_regions_reach_storage() {
  on "$1" helm upgrade volley "$VOLLEY_ROOT/charts/volley" --namespace volley-system --reuse-values \
    --set storage.embedded.nodePort=30900 --set "storage.embedded.workerEndpoint=http://$(node_address "$1"):30900" \
    --wait --timeout 3m
}

# install_region_chart CLUSTER: what a cluster needs to be a region.
install_region_chart() {
  on "$1" helm upgrade --install volley-region "$VOLLEY_ROOT/charts/volley-region" --namespace volley-region --create-namespace \
    --wait --timeout 2m
}

# region_kubeconfig CLUSTER: what a hub may use to reach it.
region_kubeconfig() {
  local server authority token
  server=$(on "$1" kubectl config view --minify --raw -o jsonpath='{.clusters[0].cluster.server}')
  authority=$(on "$1" kubectl get secret volley-hub -n volley-region -o jsonpath='{.data.ca\.crt}')
  token=$(on "$1" kubectl get secret volley-hub -n volley-region -o jsonpath='{.data.token}' | base64 -d)
  cat <<END
apiVersion: v1
kind: Config
current-context: region
clusters: [{name: region, cluster: {server: "$server", certificate-authority-data: "$authority"}}]
users: [{name: volley-hub, user: {token: "$token"}}]
contexts: [{name: region, context: {cluster: region, user: volley-hub}}]
END
}

# join_region HUB CLUSTER: the RegionTarget of that name in the hub, waited for.
join_region() {
  local hub=$1 region=$2
  region_kubeconfig "$region" | on "$hub" kubectl create secret generic "region-$region" -n volley-system \
    --from-file=kubeconfig=/dev/stdin --dry-run=client -o yaml | on "$hub" kubectl apply --server-side -f -
  on "$hub" kubectl label --overwrite secret "region-$region" -n volley-system volley.dev/kubeconfig=true
  on "$hub" kubectl apply --server-side -f - <<END
apiVersion: volley.dev/v1alpha1
kind: RegionTarget
metadata: {name: $region}
spec:
  region: $region
  connection: {kubeconfig: {secretName: region-$region}}
  namespace: volley-workers
  allowedNamespaces: [default]
  fargate: false
END
  on "$hub" kubectl wait --for=condition=Ready "regiontarget/$region" --timeout=60s
}

# join_regions HUB REGION...: side by side would be faster and harder to read when it fails.
join_regions() {
  local hub=$1 region
  shift
  for region in "$@"; do
    load_images "$region"
    install_region_chart "$region"
    join_region "$hub" "$region"
  done
}

# second_hub CLUSTER REGION: an installation of its own in one region's cluster that uses another region's, too.
second_hub() {
  on "$1" helm upgrade --install volley "$VOLLEY_ROOT/charts/volley" --namespace volley-system --create-namespace \
    --set installation=second --set image.volley="$IMAGE_VOLLEY" --set image.worker="$IMAGE_WORKER" --set operator.startDelay=5s \
    --set regionTargets=null --set createWorkerNamespaces=false \
    --set storage.embedded.nodePort=30900 --set "storage.embedded.workerEndpoint=http://$(node_address "$1"):30900" \
    --wait --timeout 3m
  join_region "$1" "$2"
}
