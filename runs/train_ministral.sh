#!/usr/bin/env bash
# Ministral-3-3B from the public data sets to a converted bundle, on one machine with GPUs (the published run: 4 x A100,
# 8.2 h for stage 1). Every step goes on where it was stopped; preemption by SIGTERM saves first.
#
#   runs/train_ministral.sh [OUT]
#
# Wants `pip install -e ".[train]"` with a CUDA build of PyTorch, or ".[vllm]" for a teacher that is ten times faster.
# FINEWEB=0 leaves FineWeb-Edu out. IRRELEVANT=0.1 adds one question in ten about another context; the reference has none.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-runs/ministral}
base=${BASE:-mistralai/Ministral-3-3B-Instruct-2512-BF16}
asker=${ASKER:-google/gemma-3-12b-it}
fineweb=${FINEWEB:-200000} irrelevant=${IRRELEVANT:-0}
gpus=${GPUS:-$(nvidia-smi --list-gpus | wc -l)}
PATH="$PWD/.venv/bin:$PATH"

echo "== 1. rows: compact sets, each by itself; contexts of any dev set stay out of train"
held=()
for source in squad drop ropes; do
  python -m torch_train.data prepare "$out/dev/$source" --dev "$source"
  held+=("own=$out/dev/$source/dev.parquet")
done
sources=(squad drop ropes pwc)
for source in "${sources[@]}"; do
  python -m torch_train.data prepare "$out/rows/$source" --train "$source" --dev "${held[@]}" --drop-leaks
done
if [ "$fineweb" != 0 ]; then # the largest part of the reference's data: up to 2,000 characters, two times 5 questions
  python -m torch_train.data prepare "$out/documents" --train fineweb --limit "$fineweb" --max-characters 2000
  python -m torch_train.data questions "$out/documents/train.parquet" "$out/questions" --model "$asker" \
    --prompts questions reasoning --count 5 --temperature 0
  python -m torch_train.data prepare "$out/rows/fineweb" --train "own=$out/questions" --dev "${held[@]}" --drop-leaks
  sources=(fineweb "${sources[@]}")
fi

echo "== 2. teacher: greedy answers with the 16 most probable tokens, told to ignore what is not relevant"
teach() { python -m torch_train.teacher "$@" --base "$base" --prompt instructed --unfinished drop; }
for source in "${sources[@]}"; do
  teach "$out/rows/$source/train.parquet" "$out/teacher/$source" --irrelevant-prob "$irrelevant"
done
teach "$out/dev/squad/dev.parquet" "$out/teacher/dev" --limit 512

stoppable() { # a command that SIGTERM and Ctrl-C reach as SIGTERM, with time to save
  "$@" &
  trap "kill -TERM $!; wait $! || :; exit 143" TERM INT
  wait $!
  trap - TERM INT
}
teacher=$(printf ", $out/teacher/%s" "${sources[@]}") && teacher="[${teacher:2}]"
train() { # configuration, folder, more settings
  stoppable torchrun --standalone --nproc-per-node "$gpus" --shutdown-timeout 300 --signals-to-handle SIGTERM \
    -m torch_train "torch_train/configs/$1.yaml" \
    "base.path=$base" "data.teacher=$teacher" "data.dev=[$out/teacher/dev]" "run.folder=$2" "${@:3}"
}

echo "== 3. stage 1: one chunk for each context"
train ministral-3-3b "$out/stage-1"

echo "== 4. stage 2: one to eight equal chunks"
train ministral-3-3b-chunked "$out/stage-2" "hypernet.start=$(ls -d "$out"/stage-1/step-* | tail -1)"

echo "== 5. evaluate, needles far beyond the trained lengths included"
checkpoint=$(ls -d "$out"/stage-2/step-* | tail -1)
for source in squad drop ropes; do
  python -m torch_train.evaluate "$checkpoint" "$out/dev/$source/dev.parquet" "$out/report/$source" --base "$base" \
    --limit 500
done
python -m torch_train.evaluate "$checkpoint" "$out/dev/squad/dev.parquet" "$out/report/needles" --base "$base" \
  --limit 1 --needles 256,1024,4096,8192,16384,32768 --depths 11 --per-cell 5

echo "== 6. convert, and compare with torch on the way"
convert-weights "$checkpoint" "$out/bundle" --dtype bfloat16 --base "$base" --force
echo "done: $out/bundle, reports in $out/report"
