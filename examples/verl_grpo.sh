#!/usr/bin/env bash
# verl 0.9: GRPO on a mix of tasks with rewards from a registry. Needs verl with its GPU stack; everything about rewards
# also runs on a CPU (tests/integrations/test_verl_host.py runs verl's own reward worker on these settings).
#
#   rlar agent build-tools --dataset mix.jsonl --registry registry.db
#   bash examples/verl_grpo.sh
set -euo pipefail
REGISTRY=$(realpath "${REGISTRY:-registry.db}")
rlar data export --registry "$REGISTRY" --dataset "${DATASET:-mix.jsonl}" --to verl --output export/
python -m verl.trainer.main_ppo \
    algorithm.adv_estimator=grpo \
    data.train_files=export/train.parquet data.val_files=export/train.parquet \
    data.train_batch_size=64 data.max_prompt_length=2048 data.max_response_length=2048 \
    actor_rollout_ref.model.path="${MODEL:-Qwen/Qwen3-0.6B}" actor_rollout_ref.rollout.n=8 \
    reward.custom_reward_function.path=pkg://rlar.integrations.verl \
    reward.custom_reward_function.name=compute_score \
    +reward.custom_reward_function.reward_kwargs.registry="$REGISTRY" \
    trainer.n_gpus_per_node="${GPUS:-1}" trainer.total_epochs=1 trainer.logger='[console]' "$@"
