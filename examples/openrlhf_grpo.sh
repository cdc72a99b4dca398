#!/usr/bin/env bash
# OpenRLHF: GRPO on a mix of tasks; one `rlar serve` gives all engines their rewards. Needs OpenRLHF with its GPU stack.
# (tests/server/test_live.py sends a running server what OpenRLHF's client sends.)
#
#   rlar agent build-tools --dataset mix.jsonl --registry registry.db
#   bash examples/openrlhf_grpo.sh
set -euo pipefail
REGISTRY=${REGISTRY:-registry.db}
rlar data export --registry "$REGISTRY" --dataset "${DATASET:-mix.jsonl}" --to openrlhf --output export/openrlhf.jsonl
rlar serve --registry "$REGISTRY" --port 8000 &
trap 'kill -TERM $!' EXIT
until python -c 'import urllib.request as u; u.urlopen("http://127.0.0.1:8000/readyz")' 2>/dev/null; do sleep 1; done
python -m openrlhf.cli.train_ppo_ray \
    --actor.model_name_or_path "${MODEL:-Qwen/Qwen3-0.6B}" \
    --algo.advantage.estimator group_norm --rollout.n_samples_per_prompt 8 \
    --reward.remote_url http://127.0.0.1:8000/get_reward \
    --data.prompt_dataset export/openrlhf.jsonl --data.input_key prompt --data.label_key label --data.apply_chat_template \
    "$@"
