#!/usr/bin/env bash
# Stage 1 of Ministral-3-3B on several machines: run the same line on each, with data and OUT on a shared disk.
#
#   MASTER=node-0 NODES=2 runs/train_ministral_multinode.sh [OUT] [section.key=value ...]
#
# Rows and teacher shards come from steps 1 and 2 of runs/train_ministral.sh. With W GPUs in all, accumulation is
# 32 / W so that a step holds as many packed batches as in the published run (4 GPUs x 8).
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-runs/ministral}
shift || true
gpus=${GPUS:-$(nvidia-smi --list-gpus | wc -l)}
nodes=${NODES:?"how many machines: NODES=2"}
master=${MASTER:?"name of one of them: MASTER=node-0"}
accumulation=$((32 / (gpus * nodes)))
[ "$((accumulation * gpus * nodes))" = 32 ] || { echo "$gpus GPUs on $nodes machines do not divide 32" >&2; exit 2; }
PATH="$PWD/.venv/bin:$PATH"

# When one machine is preempted (SIGTERM to this script, or Ctrl-C), all save; the others wait to go on until it is back.
torchrun --nnodes "$nodes" --nproc-per-node "$gpus" --max-restarts 3 --shutdown-timeout 300 --signals-to-handle SIGTERM \
  --rdzv-backend c10d --rdzv-endpoint "$master:29500" --rdzv-id "thoth-${out//\//-}" \
  -m torch_train torch_train/configs/ministral-3-3b.yaml \
  "data.teacher=[$out/teacher/fineweb, $out/teacher/squad, $out/teacher/drop, $out/teacher/ropes, $out/teacher/pwc]" \
  "data.dev=[$out/teacher/dev]" "run.folder=$out/stage-1" "optimizer.accumulation=$accumulation" "$@" &
trap "kill -TERM $!; wait $! || :; exit 143" TERM INT
wait $!
