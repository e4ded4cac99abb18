#!/usr/bin/env bash
# What dist_train.sh and dist_test.sh share: _torchrun.sh TOOL PROCESSES [arguments of the tool]
set -euo pipefail
tool=$1
processes=$2
shift 2
tools=$(cd "$(dirname "$0")" && pwd)
PYTHONPATH="$tools/..${PYTHONPATH:+:$PYTHONPATH}" exec torchrun \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$processes" \
    "$tools/$tool" "$@" --launcher pytorch
