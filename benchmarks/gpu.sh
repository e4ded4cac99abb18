#!/usr/bin/env bash
# Measurements on a GPU, in parts of less than 9 minutes each.
#
#   benchmarks/gpu.sh PART            one part on the GPU
#   benchmarks/gpu.sh --small [PART]  a part, or all, on the CPU in a small form: it shows that they
#                                     work, and its figures say nothing
#
# Parts: steps-resnet32x4, steps-wrn40_2, steps-shufflenet_v2, steps-imagenet   step times: eager,
#        compiled, from a CUDA graph; float32, TF32, bfloat16; beside a bare loop and T + S
#        throughput   images/s and memory of R34 to R18 on ImageNet's size, by batch size
#        crd          a whole CRD run in the size of CIFAR-100, extrapolated where it does not fit
#        cohorts      cost of 4 and of 8 runs trained together
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python}
PARTS=(steps-resnet32x4 steps-wrn40_2 steps-shufflenet_v2 steps-imagenet throughput crd cohorts)

small=false
if [[ ${1:-} == --small ]]; then small=true; shift; fi
part=${1:-}

overhead() { "$PYTHON" benchmarks/step_overhead.py --methods kd --limit "${device[@]}" "$@"; }

# Step times of a pair in every mode and precision; on the CPU in every mode and once in bfloat16.
steps() {
    local pair=$1 choice
    for choice in "${choices[@]}"; do
        # shellcheck disable=SC2086
        overhead --pairs "$pair" $choice
    done
}

if $small; then
    device=(--device cpu --batch-size 4 --size 32 --block 1 --blocks 2 --warmup 1 --threads 1 --backend eager)
    choices=("" "--compile" "--cuda-graph --tf32 --amp")
    batches=(2 4)
    run=(--images 200 --test-images 100 --minutes 0.1 --batch-size 20)
    cohort=(--threads 1 --counts 2 --block 1 --blocks 2 --warmup 1 --batch-size 8)
else
    device=(--device cuda --blocks 8)
    choices=()
    for mode in "" --compile --cuda-graph; do
        for precision in "" --tf32 --amp; do choices+=("$mode $precision"); done
    done
    batches=(64 128 256 512)
    run=(--images 50000 --minutes 3)
    cohort=(--counts 4 8 --block 20 --blocks 8)
fi

# One part.
measure() {
    echo "## $1"
    case $1 in
        steps-imagenet) steps resnet ;;
        steps-*) steps "${1#steps-}" ;;
        throughput)
            for batch in "${batches[@]}"; do
                overhead --pairs resnet --amp --fast-teacher --batch-size "$batch"
            done ;;
        crd)
            "$PYTHON" benchmarks/whole_run.py "${run[@]}"
            "$PYTHON" benchmarks/whole_run.py "${run[@]}" --amp --cuda-graph --on-device ;;
        cohorts) "$PYTHON" benchmarks/sweep_cost.py "${cohort[@]}" ;;
        *) echo "There is no part $1. Parts: ${PARTS[*]}." >&2; exit 2 ;;
    esac
}

if [[ -n $part ]]; then
    measure "$part"
elif $small; then
    for part in "${PARTS[@]}"; do measure "$part"; done
else
    echo "Name a part: ${PARTS[*]}. (--small runs all of them on the CPU.)" >&2
    exit 2
fi
