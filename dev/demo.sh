#!/usr/bin/env bash
# `make demo`: from a fresh machine to the result of a real load test.
# Without arguments it starts a cluster of its own on this machine. With `current PREFIX` it uses the cluster of the current
# kubeconfig and pushes the images to PREFIX.
source "$(dirname "$0")/steps.sh"

where=${1:-}
prefix=${2:-}
case $where in
"" | current) ;;
*) echo "error: CLUSTER=$where is not known. Leave it out, or write CLUSTER=current IMAGES=<repository prefix>." >&2 && exit 2 ;;
esac
if [[ $where == current && -z $prefix ]]; then
  echo "error: CLUSTER=current needs IMAGES=<repository prefix> that the cluster can pull from, for example IMAGES=registry.example.com/me" >&2
  exit 2
fi

source "$VOLLEY_ROOT/dev/install.sh"
one_at_a_time

step "Check the toolchains" check_toolchains
step "Install Debian packages" install_packages
if [[ -z $where ]]; then
  step "Build the development cluster" build_cluster_program
elif ! need kubectl "it talks to the cluster of your kubeconfig" "see https://kubernetes.io/docs/tasks/tools"; then
  exit 1
fi
step "Build helm" install_helm
step "Build volley" build_volley
step "Build the images" build_images
if [[ $where == current ]]; then
  step "Push the images to $prefix" push_images "$prefix"
  volley_and_target
else
  cluster_with_volley demo
fi
step "Run a load test with two workers" "$VOLLEY_BIN/volley" run --namespace default -f "$VOLLEY_ROOT/examples/http.yaml"
print_times

cat <<END

Look further:
  export PATH=$VOLLEY_BIN:\$PATH KUBECONFIG=${KUBECONFIG:-}
  kubectl get loadtests,loadtestruns,regiontargets
  kubectl describe loadtestrun -l volley.dev/load-test=checkout
  volley run checkout                      # once more
  volley run -f examples/locust.yaml       # another engine
  volley result RUN -o json                # every number

END
if [[ $where == current ]]; then
  echo "Remove it again with: helm uninstall volley --namespace volley-system"
else
  echo "The cluster stays up. Remove it with: make clean-cluster"
fi
