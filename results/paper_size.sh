#!/usr/bin/env bash
# Path integration at the paper's size, in pieces: runs what is left of the
# rivals below for so many minutes, and keeps every epoch. Repeat it until its
# exit status is not 3. What follows the folder is for every sweep, such as
# `--units 41 --steps 300` to try it.
#
#     KERAS_BACKEND=jax bash results/paper_size.sh MINUTES DIR [OPTION ...]
set -euo pipefail
minutes=$1 folder=$2
shift 2
options=("$@")

sweep() {
    local left=$((minutes * 60 - SECONDS))
    ((left > 30)) || exit 3
    keras-moduli sweep navigation --preset paper --seeds 1 --out "$folder" \
        --minutes "$(printf '%d.%02d' $((left / 60)) $((left % 60 * 100 / 60)))" \
        "$@" "${options[@]}"
}

# The order is that in which they decide something.
sweep --space torus
sweep --connections own+random
sweep --space discrete --inhibitor identity
sweep --connections near
sweep --control permuted --only-controls
sweep --control none --only-controls
