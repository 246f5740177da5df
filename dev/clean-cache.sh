#!/usr/bin/env bash
# `make clean-cache`: removes what the development commands built: binaries, images, virtual environments, logs.
source "$(dirname "$0")/steps.sh"
if command -v buildah >/dev/null 2>&1; then
  for image in volley volley-taurus volley-target debian; do
    STORAGE_DRIVER=vfs buildah rmi --force "$(STORAGE_DRIVER=vfs buildah images --quiet "localhost/$image" 2>/dev/null | head -n 1)" >/dev/null 2>&1 || :
  done
fi
rm -rf "$VOLLEY_CACHE"
echo "Removed $VOLLEY_CACHE."
