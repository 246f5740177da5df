# Sourced by demo.sh and test.sh: images and chart on a cluster.
# shellcheck shell=bash

IMAGE_VOLLEY=localhost/volley:dev
IMAGE_WORKER=localhost/volley-taurus:dev
IMAGE_TARGET=localhost/volley-target:dev

IMAGES_BUILD=("$VOLLEY_ROOT/dev/images/build.sh" base taurus volley target)
build_images() {
  "${IMAGES_BUILD[@]}"
}

# load_images CLUSTER: into the cluster's containerd. An archive that is there already is not loaded again.
load_images() {
  local cluster=$1 image archive loaded
  for image in taurus volley target; do
    archive=$VOLLEY_CACHE/images/$image.tar
    loaded=$(dirname "$("$VOLLEY_BIN/cluster" kubeconfig "$cluster")")/loaded-$image
    if [[ -f $loaded && $(cat "$loaded") == "$(stat -c '%Y %s' "$archive")" ]]; then
      echo "    $image: already there"
      continue
    fi
    "$VOLLEY_BIN/cluster" load "$archive" "$cluster"
    stat -c '%Y %s' "$archive" >"$loaded"
  done
}

# push_images PREFIX: to a registry, under a tag that changes with the content.
push_images() {
  local prefix=$1 image archive tag
  need skopeo "it copies images to a registry" "apt-get install -y skopeo"
  for image in volley taurus target; do
    archive=$VOLLEY_CACHE/images/$image.tar
    tag=dev-$(sha256sum <"$VOLLEY_CACHE/images/$image.inputs" | cut -c1-12)
    case $image in
    volley) IMAGE_VOLLEY=$prefix/volley:$tag && set -- "$IMAGE_VOLLEY" ;;
    taurus) IMAGE_WORKER=$prefix/volley-taurus:$tag && set -- "$IMAGE_WORKER" ;;
    target) IMAGE_TARGET=$prefix/volley-target:$tag && set -- "$IMAGE_TARGET" ;;
    esac
    echo "    $1"
    skopeo copy --quiet "docker-archive:$archive" "docker://$1"
  done
}

# install_chart: as a user installs it. The digest makes pods of an older build go, although the tag stays.
install_chart() {
  # Helm installs the definitions of objects and never changes them; an upgrade brings them first.
  if helm status volley --namespace volley-system >/dev/null 2>&1; then
    kubectl apply --server-side --force-conflicts -f "$VOLLEY_ROOT/crds"
  fi
  helm upgrade --install volley "$VOLLEY_ROOT/charts/volley" --namespace volley-system --create-namespace \
    --set image.volley="$IMAGE_VOLLEY" --set image.worker="$IMAGE_WORKER" --set operator.startDelay=5s \
    --set-string podAnnotations."volley\.dev/build"="$(stat -c %Y-%s "$VOLLEY_CACHE/images/volley.tar")" \
    --wait --timeout 3m
}

# process_of COMPONENT: the process of Volley's operator or storage on this machine.
process_of() {
  local container pid
  container=$(kubectl get pods -n volley-system -l "app.kubernetes.io/component=$1" -o jsonpath='{.items[0].status.containerStatuses[0].containerID}')
  container=${container##*/}
  for pid in $(grep -ls "$container" /proc/[0-9]*/cgroup 2>/dev/null | cut -d/ -f3); do
    if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q "volley $1"; then
      echo "$pid"
      return 0
    fi
  done
  echo "error: the process of volley $1 is not on this machine" >&2
  return 1
}

start_target() {
  sed "s|localhost/volley-target:dev|$IMAGE_TARGET|" "$VOLLEY_ROOT/examples/target.yaml" | kubectl apply --server-side -f -
  kubectl rollout status --namespace default deployment/volley-target --timeout=120s
}

# cluster_with_volley NAME: a cluster on this machine with Volley and the target; KUBECONFIG names it from then on.
cluster_with_volley() {
  step "Start the cluster $1" "$VOLLEY_BIN/cluster" up "$1"
  KUBECONFIG=$("$VOLLEY_BIN/cluster" kubeconfig "$1")
  export KUBECONFIG
  step "Load the images" load_images "$1"
  volley_and_target
}

# volley_and_target: onto the cluster of KUBECONFIG.
volley_and_target() {
  step "Install Volley with Helm" install_chart
  step "Start a target to aim at" start_target
}
