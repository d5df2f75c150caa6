#!/usr/bin/env bash
# Train smol's hypernetwork on one GPU within a time budget, without a network; the same command resumes.
#
#   runs/smol_gpu.sh [--parcel FOLDER | --base FOLDER] [--out FOLDER] [--minutes 10] [--device cuda] [--result FOLDER]
#                    [--start CHECKPOINT] [--workers 12] [section.key=value ...]
#
# Needs python3 with torch, transformers, accelerate, pyarrow, PyYAML, Jinja2 and tensorboard; it names what is missing.
# --minutes is the time of the whole command: unpacking, training, scores and the way back. SIGTERM saves and brings back.
# docs/smol-gpu.md says how the parcel is made, goes through a lease call by call, and how the result becomes a bundle.
set -euo pipefail
cd "$(dirname "$0")/.."
out=runs/smol-gpu minutes=10 others=()
while [ $# -gt 0 ]; do
  case "$1" in
    --out) out=$2; shift ;;
    --minutes) minutes=$2; shift ;;
    *) others+=("$1") ;;
  esac
  shift
done
PATH="$PWD/.venv/bin:$PATH"
# Nothing may look for a network; tokenizers take one text at a time, which needs no threads.
export PYTHONPATH="$PWD" PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 TOKENIZERS_PARALLELISM=false
# The command ends by itself in time; should it hang, SIGTERM still lets it save.
exec timeout --signal=TERM --kill-after=45 "$(awk "BEGIN { print int($minutes * 60) + 15 }")" \
  "${PYTHON:-python3}" -m torch_train.english.lease "$out" --minutes "$minutes" ${others[@]+"${others[@]}"}
