#!/bin/sh
# sample.sh PROGRAM CONFIGS DIRECTORY: a small model and a short run; prints what came out as sums, which
# are the same wherever the program computes the same bits.
set -eu
program=$1 configs=$2 out=$3
rm -rf "$out"
mkdir -p "$out"
{
  "$program" init --config "$configs/default/expert.json" --tokenizer "$configs/default/tokenizer" \
    --seed 1 --out "$out/model"
  "$program" logits --model "$out/model" --prompt "What is the weather in Oslo?" \
    --out "$out/logits.safetensors" --threads 2
  "$program" distill "$configs/default/expert.run.json" --set steps=4 \
    --set eval_suite=null --out "$out/run" --threads 2
  "$program" generate "$out/run" --chat --prompt "What is the weather in Oslo?" --greedy \
    --max-new-tokens 8 --threads 2
} >"$out/log" 2>&1 || { cat "$out/log" >&2; exit 1; }
cd "$out"
sha256sum model/model.safetensors logits.safetensors run/model/model.safetensors
