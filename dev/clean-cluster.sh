#!/usr/bin/env bash
# `make clean-cluster`: removes this checkout's development clusters and nothing else.
source "$(dirname "$0")/steps.sh"
if [[ ! -x $VOLLEY_BIN/cluster ]]; then
  echo "There are no development clusters: the program that makes them has not been built."
  exit 0
fi
"$VOLLEY_BIN/cluster" down --all
