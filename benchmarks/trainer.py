"""A GRPO step of rlar beside one of TRL's GRPOTrainer, alternating in one process on the same model and prompts.

    python benchmarks/trainer.py                                   # 1M and 5M parameters, 5 steps each
    python benchmarks/trainer.py --sizes 30m --steps 3             # some minutes
    python benchmarks/trainer.py --threads 2 --processes 2 --wall  # wall seconds, both cores
    python benchmarks/trainer.py --memory                          # peak resident memory, one process a side
    python benchmarks/trainer.py --growth                          # our step against group size, length and prompts

Seconds are CPU seconds of one thread unless --wall is given, so that a busy machine matters less. The ratio is of
seconds per sampled token, step by step; the first step of either side warms up and is left out. "tuned" is TRL in
float32 with the whole batch at once and no checkpointing, "default" is TRL as shipped. "varied" makes one token in 40 an
end token, so that completions differ in length. With --processes ours is as many processes of one thread, as
`rlar train --processes` starts them (more threads in one process are hardly faster), TRL one of --threads. Needs trl,
datasets and accelerate. One JSON line a case is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

for _name, _value in {
    "GOMP_SPINCOUNT": "0", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "TRL_EXPERIMENTAL_SILENCE": "1",
}.items():  # fmt: skip
    os.environ.setdefault(_name, _value)
if "--threads" not in " ".join(sys.argv):
    os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402
from transformers import PreTrainedTokenizerFast, Qwen3Config  # noqa: E402

from rlar.trainer.advantage import group_advantages  # noqa: E402
from rlar.trainer.config import TrainConfig  # noqa: E402
from rlar.trainer.credit import per_token  # noqa: E402
from rlar.trainer.distributed import (  # noqa: E402
    Launch,
    join_processes,
)
from rlar.trainer.loss import LossConfig, policy_loss_backward  # noqa: E402
from rlar.trainer.model.policy import Policy, load_policy  # noqa: E402
from rlar.trainer.rollout import LocalSampler, Rollouts, join_rollouts  # noqa: E402
from rlar.trainer.update import Updater  # noqa: E402

SIZES = {  # vocabulary, width, layers, heads, key-value heads, head size, feed-forward
    "1m": (2048, 128, 4, 4, 2, 32, 384),
    "5m": (4096, 256, 5, 4, 2, 64, 768),
    "30m": (8192, 512, 8, 8, 4, 64, 1536),
}
TRL_SETTINGS = ("tuned", "default")


def tokenizer_of(vocabulary: int) -> PreTrainedTokenizerFast:
    """One word a token: "w17" is token 17."""
    words = {"<pad>": 0, "<eos>": 1} | {f"w{i}": i for i in range(2, vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", padding_side="left"
    )


def policy_of(size: str, lengths: str, **options: Any) -> Policy:
    """A Qwen3 with random weights."""
    vocabulary, width, layers, heads, kv_heads, head_size, feed_forward = SIZES[size]
    config = Qwen3Config(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=feed_forward, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=kv_heads, head_dim=head_size, max_position_embeddings=2048,
        tie_word_embeddings=True, bos_token_id=None, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    policy = load_policy(config, tokenizer=tokenizer_of(vocabulary), **options)
    ends = [1] + (list(range(300, 300 + vocabulary // 40)) if lengths == "varied" else [])
    policy.model.generation_config.eos_token_id = ends
    policy.model.generation_config.pad_token_id = 0
    object.__setattr__(policy, "eos_ids", tuple(ends))
    return policy


def prompts_of(count: int, vocabulary: int, seed: int = 0) -> list[list[int]]:
    """Of 16 to 32 tokens."""
    r = random.Random(seed)
    return [[r.randrange(2, vocabulary) for _ in range(r.randrange(16, 33))] for _ in range(count)]


def reward_of(ids: list[int]) -> float:
    """A cheap reward that differs between completions: the share of odd tokens."""
    return sum(token % 2 for token in ids) / max(len(ids), 1)


class Ours:
    """Our step, by the same parts as `rlar train`."""

    def __init__(self, policy: Policy, *, group_size: int, new: int, token_budget: int) -> None:
        self.policy, self.group_size, self.new, self.token_budget = policy, group_size, new, token_budget
        self.sampler = LocalSampler(policy)
        self.optimiser = torch.optim.AdamW(policy.parameters(), lr=1e-5, weight_decay=0.0, fused=True)

    def step(self, prompts: list[list[int]], clock: Any) -> dict[str, float]:
        t0 = clock()
        rollouts = self.sampler.sample(prompts, group_size=self.group_size, max_new_tokens=self.new)
        t1 = clock()
        lengths = rollouts.lengths_N.tolist()
        rewards = [reward_of(ids[:n]) for ids, n in zip(rollouts.completion_ids_N_T.tolist(), lengths, strict=True)]
        advantages_N = group_advantages(torch.tensor(rewards).view(-1, self.group_size)).flatten()
        t2 = clock()
        policy_loss_backward(
            self.policy,
            rollouts,
            per_token(advantages_N, rollouts.mask_N_T),
            config=LossConfig(),
            token_budget=self.token_budget,
        )
        t3 = clock()
        torch.nn.utils.clip_grad_norm_(self.policy.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad()
        t4 = clock()
        return {"generate": t1 - t0, "reward": t2 - t1, "update": t3 - t2, "optimise": t4 - t3, "step": t4 - t0,
                "tokens": sum(lengths)}  # fmt: skip


class OursInProcesses:
    """The same step by several processes of one thread, which rest while TRL computes."""

    def __init__(self, size: str, lengths: str, dtype: torch.dtype, linear: str, args: argparse.Namespace) -> None:
        context = torch.multiprocessing.get_context("spawn")
        given = (size, lengths, dtype, linear, args, free_port())
        self.pipes, self.workers = [], []
        for rank in range(args.processes):
            pipe, theirs = context.Pipe()
            worker = context.Process(target=one_of_several, args=(rank, theirs, *given), daemon=True)
            worker.start()
            self.pipes.append(pipe)
            self.workers.append(worker)

    def step(self, prompts: list[list[int]], clock: Any) -> dict[str, float]:
        started = clock()
        for pipe in self.pipes:
            pipe.send(prompts)
        told: list[dict[str, float]] = [pipe.recv() for pipe in self.pipes]
        return {**told[0], "step": clock() - started}

    def close(self) -> None:
        for pipe, worker in zip(self.pipes, self.workers, strict=True):
            pipe.send(None)
            worker.join()


def one_of_several(
    rank: int, pipe: Any, size: str, lengths: str, dtype: torch.dtype, linear: Any, args: argparse.Namespace, port: int
) -> None:
    """A process of `OursInProcesses`: samples its share of the prompts, and updates as `rlar train` does."""
    torch.set_num_threads(1)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(args.processes))
    policy = policy_of(size, lengths, dtype=dtype, linear=linear)
    config = TrainConfig(dataset=("-",), learning_rate=1e-5, token_budget=args.token_budget, max_new_tokens=args.new)
    sampler = LocalSampler(policy)
    with join_processes(Launch(rank, args.processes), "cpu") as ranks:
        updater, number = Updater(config, policy, ranks), 0
        while (prompts := pipe.recv()) is not None:
            t0 = time.perf_counter()

            def sample(mine: list[list[int]] = prompts[rank :: args.processes]) -> Rollouts:
                return sampler.sample(mine, group_size=args.group, max_new_tokens=args.new)

            rollouts = join_rollouts(ranks.together(sample))
            t1 = time.perf_counter()
            counts = rollouts.lengths_N.tolist()
            rewards = [reward_of(ids[:n]) for ids, n in zip(rollouts.completion_ids_N_T.tolist(), counts, strict=True)]
            batch: Any = SimpleNamespace(
                rollouts=rollouts, rewards_P_G=torch.tensor(rewards).view(-1, args.group), rows=[]
            )
            updater.update(batch, number)
            number += 1
            pipe.send({"generate": t1 - t0, "update": time.perf_counter() - t1, "tokens": sum(counts)})


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def trl_trainer(policy: Policy, texts: list[str], setting: str, args: argparse.Namespace, callbacks: list[Any]) -> Any:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    count = args.prompts * args.group
    kinds: dict[str, dict[str, Any]] = {
        "tuned": {"per_device_train_batch_size": count, "gradient_checkpointing": False, "bf16": False},
        "default": {"per_device_train_batch_size": 8, "gradient_accumulation_steps": count // 8},
    }
    config = GRPOConfig(
        output_dir=tempfile.mkdtemp(prefix="trl-"), num_generations=args.group, max_completion_length=args.new,
        max_steps=args.steps, use_cpu=True, learning_rate=1e-5, beta=0.0, report_to=[], logging_steps=1,
        save_strategy="no", disable_tqdm=True, shuffle_dataset=False, **kinds[setting],
    )  # fmt: skip

    def reward(completion_ids: list[list[int]], **_: Any) -> list[float]:
        return [reward_of(ids) for ids in completion_ids]

    return GRPOTrainer(
        model=policy.model, reward_funcs=[reward], args=config, callbacks=callbacks,
        train_dataset=Dataset.from_list([{"prompt": text} for text in texts]), processing_class=policy.tokenizer,
    )  # fmt: skip


def side_by_side(size: str, setting: str, lengths: str, args: argparse.Namespace) -> dict[str, Any]:
    """Alternates one step of TRL with one of ours in each dtype."""
    import transformers
    from trl import GRPOTrainer

    transformers.logging.set_verbosity_error()
    clock = time.perf_counter if args.wall else time.process_time
    policy = policy_of(size, lengths)
    prompts = prompts_of(args.prompts * args.steps, policy.vocabulary)
    texts = [policy.decode(prompt) for prompt in prompts]
    assert [policy.tokenizer(text)["input_ids"] for text in texts[:3]] == prompts[:3]
    ours: dict[str, Any] = {}
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16))[: 1 if args.only_float32 else 2]:
        if args.processes > 1:
            ours[name] = OursInProcesses(size, lengths, dtype, policy.linear, args)
            continue
        mine = policy_of(size, lengths, dtype=dtype, linear=policy.linear)
        assert mine.network.name == "fast"
        ours[name] = Ours(mine, group_size=args.group, new=args.new, token_budget=args.token_budget)
    rows: dict[str, list[dict[str, float]]] = {"trl": [], **{name: [] for name in ours}}
    captured: dict[str, Any] = {}
    tokens: list[int] = []
    spent = {"generate": 0.0}
    generate, compute_loss = GRPOTrainer._generate_single_turn, GRPOTrainer._compute_loss

    def timed_generate(self: Any, *a: Any, **k: Any) -> Any:
        started = clock()
        output = generate(self, *a, **k)
        spent["generate"] += clock() - started
        tokens.append(sum(map(len, output[0])))
        return output

    def caught_loss(self: Any, model: Any, inputs: Any) -> Any:
        captured["inputs"] = inputs
        return compute_loss(self, model, inputs)

    class Alternate(transformers.TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            spent["generate"], self.started = 0.0, clock()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            number = len(rows["trl"])
            rows["trl"].append({"step": clock() - self.started, "generate": spent["generate"], "tokens": tokens[-1]})
            for name, side in ours.items():
                rows[name].append(side.step(prompts[number * args.prompts : (number + 1) * args.prompts], clock))

    GRPOTrainer._generate_single_turn, GRPOTrainer._compute_loss = timed_generate, caught_loss
    try:
        trainer = trl_trainer(policy, texts, setting, args, [Alternate()])
        trainer.train()
        check = gradient_check(policy, trainer, captured["inputs"], compute_loss) if setting == "tuned" else None
    finally:
        GRPOTrainer._generate_single_turn, GRPOTrainer._compute_loss = generate, compute_loss
        for side in ours.values():
            if args.processes > 1:
                side.close()

    result: dict[str, Any] = {"size": size, "setting": setting, "lengths": lengths, "threads": torch.get_num_threads(),
                              "processes": args.processes, "seconds": "wall" if args.wall else "cpu", "prompts": args.prompts, "group": args.group,
                              "new": args.new, "linear": policy.linear}  # fmt: skip
    for name, steps in rows.items():
        result[name] = {key: round(median([step[key] for step in steps[1:]]), 4) for key in steps[0]}
    for name in ours:
        ratios = [
            (theirs["step"] / theirs["tokens"]) / (mine["step"] / mine["tokens"])
            for theirs, mine in zip(rows["trl"][1:], rows[name][1:], strict=True)
        ]
        result[f"ratio_{name}"] = round(median(ratios), 2)
        result[f"ratios_{name}"] = [round(ratio, 2) for ratio in ratios]
    if check:
        result["check"] = check
    return result


def gradient_check(policy: Policy, trainer: Any, inputs: dict[str, Any], compute_loss: Any) -> dict[str, float]:
    """Loss and gradients of TRL's own last batch, by TRL and by us."""
    trainer.current_gradient_accumulation_steps = 1
    policy.model.train()
    policy.model.zero_grad()
    theirs = compute_loss(trainer, policy.model, inputs)
    theirs.backward()
    expected = [parameter.grad.clone() for parameter in policy.parameters()]
    policy.model.zero_grad()
    rollouts, advantages_N = rollouts_of_trl(inputs)
    stats = policy_loss_backward(
        policy, rollouts, per_token(advantages_N, rollouts.mask_N_T), config=LossConfig(), token_budget=2048
    )
    gaps = [float((a - p.grad).abs().max()) for a, p in zip(expected, policy.parameters(), strict=True)]
    return {
        "loss_difference": abs(float(theirs.detach()) - stats.loss),
        "largest_gradient": max(float(grad.abs().max()) for grad in expected),
        "largest_gradient_difference": max(gaps),
    }


def rollouts_of_trl(inputs: dict[str, Any]) -> tuple[Rollouts, torch.Tensor]:
    """TRL's batch, its shuffled rows put back into groups."""
    ids, masks = inputs["prompt_ids"].tolist(), inputs["prompt_mask"].bool().tolist()
    prompts = [
        [token for token, real in zip(row, mask, strict=True) if real] for row, mask in zip(ids, masks, strict=True)
    ]
    order = sorted(range(len(prompts)), key=lambda row: prompts[row])
    group = len(prompts) // len({tuple(prompt) for prompt in prompts})
    lengths_N = inputs["completion_mask"].sum(1)[order]
    completions = inputs["completion_ids"][order]
    rollouts = Rollouts(
        prompts=[prompts[row] for row in order[::group]],
        completion_ids_N_T=completions,
        lengths_N=lengths_N,
        logprobs_N_T=torch.zeros(completions.shape),
        finished_N=torch.ones(len(order), dtype=torch.bool),
        texts=[""] * len(order),
        group_size=group,
        temperature=1.0,
        max_new_tokens=completions.shape[1],
    )
    return rollouts, inputs["advantages"][order]


# ------------------------------------------------------------------------------------------ memory


def memory(size: str, args: argparse.Namespace) -> dict[str, Any]:
    """Peak resident memory of two steps, each side in a process of its own, with the libraries it imports."""
    peaks: dict[str, Any] = {"size": size, "peak_mb": {}}
    for side in ("ours", *TRL_SETTINGS):
        command = [sys.executable, __file__, "--side", side, "--sizes", size, "--steps", "2", "--prompts", str(args.prompts),
                   "--group", str(args.group), "--new", str(args.new), "--token-budget", str(args.token_budget)]  # fmt: skip
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        peaks["peak_mb"][side] = json.loads(output.strip().splitlines()[-1])
    return peaks


def one_side(side: str, size: str, args: argparse.Namespace) -> dict[str, int]:
    """Two steps of one side: resident memory before the first step and at its peak, MB."""
    policy = policy_of(size, "fixed")
    prompts = prompts_of(args.prompts * args.steps, policy.vocabulary)
    if side == "ours":
        mine = Ours(policy, group_size=args.group, new=args.new, token_budget=args.token_budget)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for step in range(args.steps):
            mine.step(prompts[step * args.prompts : (step + 1) * args.prompts], time.perf_counter)
    else:
        trainer = trl_trainer(policy, [policy.decode(prompt) for prompt in prompts], side, args, [])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        trainer.train()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"peak": peak // 1024, "above_start": (peak - before) // 1024}


# ------------------------------------------------------------------------------------------ growth


def growth(args: argparse.Namespace) -> None:
    """Prints our step's seconds against one quantity at a time."""
    clock = time.perf_counter if args.wall else time.process_time
    size = args.sizes.split(",")[0]
    cases = [("prompts", value, value, 8, 64) for value in (4, 8, 16, 32)]
    cases += [("group", value, 8, value, 64) for value in (4, 8, 16, 32)]
    cases += [("new", value, 8, 8, value) for value in (32, 64, 128, 256, 512)]
    print(f"{size}, seconds are {'wall' if args.wall else 'cpu'}; median of {args.steps}")
    print("quantity  value  tokens  generate  update  optimise    step  us/token")
    for quantity, value, prompts, group, new in cases:
        policy = policy_of(size, "fixed")
        object.__setattr__(policy, "eos_ids", ())
        mine = Ours(policy, group_size=group, new=new, token_budget=args.token_budget)
        rows = [mine.step(prompts_of(prompts, policy.vocabulary, seed=step), clock) for step in range(args.steps + 1)][
            1:
        ]
        m = {key: median([row[key] for row in rows]) for key in rows[0]}
        print(
            f"{quantity:8s} {value:6d} {m['tokens']:7.0f} {m['generate']:9.3f} {m['update']:7.3f} {m['optimise']:9.3f} "
            f"{m['step']:7.3f} {1e6 * m['step'] / m['tokens']:9.1f}",
            flush=True,
        )


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1m,5m", help="of 1m, 5m, 30m")
    parser.add_argument("--trl", default="tuned,default")
    parser.add_argument("--lengths", default="fixed,varied")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1, help="of ours; TRL is one")
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--new", type=int, default=64)
    parser.add_argument("--token-budget", type=int, default=600)
    parser.add_argument("--wall", action="store_true")
    parser.add_argument("--only-float32", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.processes > 1 and not args.wall:
        parser.error("--processes needs --wall: CPU seconds of other processes are not seen")
    torch.set_num_threads(args.threads)
    warnings.filterwarnings("ignore")
    if args.side:
        print(json.dumps(one_side(args.side, args.sizes, args)))
    elif args.growth:
        growth(args)
    else:
        for size in args.sizes.split(","):
            if args.memory:
                print(json.dumps(memory(size, args)), flush=True)
                continue
            for setting in args.trl.split(","):
                for lengths in args.lengths.split(","):
                    print(json.dumps(side_by_side(size, setting, lengths, args)), flush=True)


if __name__ == "__main__":
    main()
