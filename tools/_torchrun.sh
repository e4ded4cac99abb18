#!/usr/bin/env bash
# What dist_train.sh and dist_test.sh share: _torchrun.sh TOOL PROCESSES [arguments of the tool]
set -euo pipefail
tool=$1
processes=$2
shift 2
tools=$(cd "$(dirname "$0")" && pwd)
PYTHONPATH="$tools/..${PYTHONPATH:+:$PYTHONPATH}" exec python -m cls_kd launch \
    --nodes="${NNODES:-1}" \
    --node-rank="${NODE_RANK:-0}" \
    --address="${MASTER_ADDR:-127.0.0.1}" \
    --port="${PORT:-29500}" \
    --restarts="${RESTARTS:-3}" \
    --timeout="${TIMEOUT:-5m}" \
    --processes="$processes" \
    "$tools/$tool" "$@"
