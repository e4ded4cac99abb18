#!/usr/bin/env bash
# Train under Slurm, one task a GPU.
#   tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [options of tools/train.py]
# In the environment: GPUS (8, in all), GPUS_PER_NODE (8, or GPUS where that is less),
# CPUS_PER_TASK (5), and SRUN_ARGS, more options of srun: SRUN_ARGS="--time=4:00:00 --qos=high".
# On nodes without a GPU: SRUN_ARGS="--gres=none".
# When the cluster takes the nodes back (SIGTERM, or SRUN_ARGS="--signal=USR1@120" before the time is over), a checkpoint
# is written; then the job is requeued where this script runs in one (give --resume), and else srun is called again.
set -euo pipefail
if [ $# -lt 4 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG WORK_DIR [options of tools/train.py]" >&2
    exit 2
fi
partition=$1
job_name=$2
config=$3
work_dir=$4
shift 4
gpus=${GPUS:-8}
gpus_per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
read -r -a srun_args <<<"${SRUN_ARGS:-}" || true
tools=$(cd "$(dirname "$0")" && pwd)
export PYTHONPATH="$tools/..${PYTHONPATH:+:$PYTHONPATH}"
resume=()
while true; do
    status=0
    srun \
        --partition="$partition" \
        --job-name="$job_name" \
        --gres="gpu:$gpus_per_node" \
        --ntasks="$gpus" \
        --ntasks-per-node="$gpus_per_node" \
        --cpus-per-task="${CPUS_PER_TASK:-5}" \
        --kill-on-bad-exit=1 \
        ${srun_args[@]+"${srun_args[@]}"} \
        python -u "$tools/train.py" "$config" --work-dir "$work_dir" --launcher slurm "$@" \
        ${resume[@]+"${resume[@]}"} || status=$?
    # 75: a signal came, and a checkpoint was written.
    [ $status -eq 75 ] || exit $status
    if [ -n "${SLURM_JOB_ID:-}" ]; then
        exec scontrol requeue "$SLURM_JOB_ID"
    fi
    resume=(--resume)
done
