#!/usr/bin/env bash
# `make lint`: formats, lints, generated files, licences, the chart, the rules of the house.
source "$(dirname "$0")/steps.sh"
source "$VOLLEY_ROOT/dev/checks.sh"
step "Check the toolchains" check_toolchains
step "Build helm" install_helm
lint_steps
step "Generated files and the rules of the house" check_generated
print_times
