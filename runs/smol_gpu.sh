#!/usr/bin/env bash
# Train smol's hypernetwork on one GPU, within a time budget; the same command resumes.
#
#   runs/smol_gpu.sh --base FOLDER [--passages FILE] [--start CHECKPOINT] [--out FOLDER] [--minutes 10] [--device cuda]
#
# FOLDER is SmolLM2-135M-Instruct, converted (`convert-weights FILE.gguf FOLDER`) or the GGUF file itself, 98 MB, of
# which --base takes the folder. PASSAGES comes from `python -m torch_train.english passages`. Needs torch,
# transformers and accelerate; nothing is downloaded. OUT holds data, checkpoints, log and curves; its last checkpoint,
# about 100 MB without the optimiser, is what `--start` of a later run takes.
set -euo pipefail
cd "$(dirname "$0")/.."
out=runs/smol minutes=10 device=cuda base='' extra=()
while [ $# -gt 0 ]; do
  case "$1" in
    --base) base=$2 ;;
    --passages | --start) extra+=("$1" "$2") ;;
    --out) out=$2 ;;
    --minutes) minutes=$2 ;;
    --device) device=$2 ;;
    *) echo "unknown option $1; see the head of this file" >&2; exit 2 ;;
  esac
  shift 2
done
[ -n "$base" ] || { echo "--base is missing: a folder of SmolLM2-135M-Instruct" >&2; exit 2; }
PATH="$PWD/.venv/bin:$PATH"
export PYTHONPATH="$PWD"

# SIGTERM ends the run after the step it is in, with a checkpoint; the last minute is for that.
seconds=$((minutes * 60 - 60))
status=0
timeout --signal=TERM --kill-after=60 "$seconds" python -m torch_train.english.recipe "$out" --base "$base" \
  "${extra[@]}" "run.device=$device" packing.context_tokens=16384 packing.input_tokens=16384 || status=$?
[ "$status" = 0 ] || [ "$status" = 124 ] || exit "$status"
last=$(ls -d "$out"/*/run/step-* | xargs ls -dt | head -1)
echo "last checkpoint: $last"
