#!/usr/bin/env bash
# Train on several GPUs, or with several processes where there is none.
#   tools/dist_train.sh CONFIG GPUS [options of tools/train.py]
# Several nodes: NNODES, NODE_RANK, MASTER_ADDR and PORT in the environment of each.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: $0 CONFIG GPUS [options of tools/train.py]" >&2
    exit 2
fi
config=$1
gpus=$2
shift 2
exec "$(dirname "$0")/_torchrun.sh" train.py "$gpus" "$config" "$@"
