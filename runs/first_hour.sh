#!/usr/bin/env bash
# The first hour on a rented GPU: versions, does it compute what a CPU computes, bandwidth, speed, and a training in time.
#
#   runs/first_hour.sh [--minutes 10|60|480] [--device cuda] [--out FOLDER] [--result FOLDER]
#                      [--parcel FOLDER | --base FOLDER] [--workers 12] [section.key=value ...]
#
# Needs no network. Every number goes into RESULT/first_hour.json and first_hour.md, after each part; the same command
# resumes. The training is smol's (docs/smol-gpu.md says how its parcel is made); without --parcel or --base it takes
# nano's base, which is in this repository. Where MLX is installed it ends with a converted bundle.
set -euo pipefail
cd "$(dirname "$0")/.."
out=runs/first-hour minutes=60 others=()
while [ $# -gt 0 ]; do
  case "$1" in
    --out | --minutes) declare "${1#--}=$2"; shift ;;
    *) others+=("$1") ;;
  esac
  shift
done
PATH="$PWD/.venv/bin:$PATH"
export PYTHONPATH="$PWD" PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 TOKENIZERS_PARALLELISM=false
exec "${PYTHON:-python3}" -m torch_train.first_hour "$out" --minutes "$minutes" ${others[@]+"${others[@]}"}
