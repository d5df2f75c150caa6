#!/usr/bin/env bash
# From raw documents to `thoth ask`, on two CPU cores in three to ten minutes: ROPES, and the built-in pair.
#
#   runs/train_small.sh ROPES_FOLDER [OUT]
#
# ROPES_FOLDER holds train-v1.0.json and dev-v1.0.json (CC BY 4.0). OUT is where everything goes (runs/small).
# The same command goes on where it was stopped. The shipped hypernetwork learns on from where it is: from nothing it
# takes hours (`make nano-hypernet`). Nano's base has only ever read notes of a few sentences: what is learnt of ROPES
# is to say what that base would say, which is the point, not to understand it.
set -euo pipefail
cd "$(dirname "$0")/.."
ropes=${1:?"usage: runs/train_small.sh ROPES_FOLDER [OUT]"}
out=${2:-runs/small}
contexts=${CONTEXTS:-240}  # of train; the teacher takes about half of the time
steps=${STEPS:-400}
PATH="$PWD/.venv/bin:$PATH"

echo "== 1. rows: one per paragraph with all its questions; nothing of dev in train"
python -m torch_train.data prepare "$out/rows" --drop-leaks \
  --train "ropes=$ropes/train-v1.0.json" --dev "ropes=$ropes/dev-v1.0.json"

echo "== 2. teacher: the base answers with the paragraph in its window; and notes in its own language, not to be forgotten"
for split in train dev; do
  limit=$([ "$split" = train ] && echo "$contexts" || echo $((contexts / 8)))
  python -m torch_train.teacher "$out/rows/$split.parquet" "$out/teacher/$split" \
    --base thoth/nano/base --limit "$limit" --max-answer-tokens 24 --rows-per-shard 32 --device cpu
done
python -m torch_train.nano.teacher "$out/teacher/notes" --base thoth/nano/base --shards 8 --strangers --device cpu

echo "== 3. train: the base without the paragraph, but with its adapter, learns to say the same"
[ -d "$out/start" ] || convert-weights --to-torch thoth/nano/hypernet "$out/start"
python -m torch_train torch_train/configs/nano.yaml "hypernet.start=$out/start" \
  "data.teacher=[$out/teacher/train,$out/teacher/notes]" "data.dev=[$out/teacher/dev]" \
  "run.folder=$out/run" "optimizer.steps=$steps"

echo "== 4. evaluate: no document, document in context, adapter"
checkpoint=$(ls -d "$out"/run/step-* | tail -1)
python -m torch_train.evaluate "$checkpoint" "$out/rows/dev.parquet" "$out/report" --limit 20 --max-answer-tokens 24 \
  --needles 32,64,128 --depths 3 --per-cell 2 --device cpu

echo "== 5. convert: from torch to MLX, compared on the way"
mkdir -p "$out/pair"
cp -r thoth/nano/base "$out/pair/"
convert-weights "$checkpoint" "$out/pair/hypernet" --force

echo "== 6. ask"
thoth ask --model "$out/pair" --compare --doc examples/harbour.txt "Who is the mayor of Harpool?"
