"""Watch the agent make a tool, without a model: a scripted server stands in for the LLM, over real HTTP.

    python examples/agent_demo.py demo/agent

The task: reach a target with given numbers. No library verifier knows it, and no row has a reference. The script's first
verifier forgets to look at which numbers were used, its second one reads the environment; the gate and the static check say
so, and the repaired one is admitted. Then fresh completions are scored, and `trace.html` tells the whole story.

Everything that the "LLM" says here was written for this example; none of it is a model's.
"""

from __future__ import annotations

import json
import random
import re
import sys
from pathlib import Path

import rlar
from rlar.agent.build import build_tools
from rlar.agent.progress import BuildProgress, print_summary
from rlar.agent.trace import write_trace
from rlar.config import BuildConfig
from rlar.testing.openai_server import Asked, Reply, ScriptedOpenAI
from rlar.types import Example, Message

VERIFIER = r'''
import ast
import re


def final_answer(response):
    """The one final answer, or "" where there are several."""
    boxed = set(re.findall(r"\\boxed\{([^{}]*)\}", response))
    if boxed:
        return boxed.pop().strip() if len(boxed) == 1 else ""
    text = re.sub(r"^```\w*\n|\n?```$", "", response.strip()).strip()
    marked = {found.strip() for found in re.findall(r"(?im)^(?:final )?answer:(.+)$", text)}
    if marked:
        return marked.pop() if len(marked) == 1 else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = lines[-1] if lines else ""
    found = re.sub(r"(?i)^the (?:final )?answer is:? ", "", found)
    return found.strip("* ").rstrip(".") if found.startswith("**") or found.endswith(".") else found


def value(node, used):
    if isinstance(node, ast.Expression):
        return value(node.body, used)
    if isinstance(node, ast.Constant) and type(node.value) is int:
        used.append(node.value)
        return node.value
    if isinstance(node, ast.BinOp):
        one, other = value(node.left, used), value(node.right, used)
        if isinstance(node.op, ast.Add):
            return one + other
        if isinstance(node.op, ast.Sub):
            return one - other
        if isinstance(node.op, ast.Mult):
            return one * other
    raise ValueError("not allowed")


def compute(prompt, response, reference, binding):
    asked = re.search(r"numbers (.+?) exactly once.*to reach (-?\d+)", prompt)
    if asked is None:
        return None
    given = sorted(int(number) for number in re.findall(r"\d+", asked[1]))
    answer = final_answer(response)
    if len(answer) > 200:
        return 0.0
    used = []
    try:
        reached = value(ast.parse(answer, mode="eval"), used)
    except (SyntaxError, ValueError):
        return 0.0
    return 1.0 if reached == int(asked[2]) and sorted(used) == given else 0.0
'''
FORGETFUL = VERIFIER.replace(" and sorted(used) == given", "")
PRYING = "import os\n\n\ndef compute(prompt, response, reference, binding):\n    return float('KEY' in os.environ)\n"


def rows(count: int, seed: int) -> list[dict[str, object]]:
    """Prompts with the numbers behind them."""
    rng = random.Random(seed)
    made: list[dict[str, object]] = []
    for _ in range(count):
        a, b, c = rng.sample(range(3, 20), 3)
        goal = a * b + c
        prompt = (
            f"Use each of the numbers {a}, {b} and {c} exactly once, with +, -, * and brackets, to reach {goal}. "
            "Give the expression only."
        )
        made.append({"prompt": prompt, "numbers": [a, b, c]})
    return made


def propose(asked: Asked) -> Reply:
    """Right and wrong answers to the rows that the question shows."""
    found = []
    for row, text in re.findall(r'"row": (\d+),\s*"prompt": ("(?:[^"\\]|\\.)*")', asked.text):
        a, b, c, goal = (int(number) for number in re.findall(r"\d+", json.loads(text)))
        right, wrong = [f"{a}*{b}+{c}", f"{c} + ({b} * {a})"], [f"{a}*{b}-{c}", str(goal), f"{a}*{b}+{c}+{c}-{c}"]
        found.append({"row": int(row), "working": "", "right": right, "wrong": wrong, "also_right": []})
    return Reply(json={"rows": found})


def scripted() -> ScriptedOpenAI:
    """What stands in for the LLM."""
    task = {
        "name": "reach the target", "description": "Combine the numbers to the target.", "answer_kind": "rule",
        "rule": "The expression uses each given number exactly once and equals the target.",
        "criteria": ["It uses each number once.", "It equals the target."],
    }  # fmt: skip
    plans = [
        {"name": name, "kind": "rule", "idea": "", "steps": "", "weakness": ""}
        for name in ("evaluate it", "look around")
    ]
    server = ScriptedOpenAI()
    server.when(["You help to build reward tools", "share this wording"], Reply(json=task))
    server.when("You help to build reward tools", Reply(json={**task, "answer_kind": "open_ended", "rule": ""}))
    server.when(lambda asked: asked.schema_name == "ProposedAnswers", propose)
    server.when("You plan reward functions", Reply(json={"metrics": plans}))
    server.when(
        "You write reward functions",
        Reply(json={"approach": "", "code": FORGETFUL}),
        Reply(json={"approach": "", "code": PRYING}),
    )
    server.when(["You repair", "look around"], Reply(json={"cause": "none", "disputed": [], "code": PRYING}))
    server.when("You repair", Reply(json={"cause": "did not count", "disputed": [], "code": VERIFIER}))
    return server


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "demo/agent")
    folder.mkdir(parents=True, exist_ok=True)
    dataset, registry = folder / "target.jsonl", folder / "registry.db"
    dataset.write_text("".join(json.dumps({"prompt": row["prompt"]}) + "\n" for row in rows(24, seed=0)), "utf-8")
    with scripted() as server, BuildProgress(sys.stderr) as progress:
        config = BuildConfig(
            dataset=(str(dataset),), registry=str(registry), report=str(folder / "report"), llm=server.endpoint
        )
        summary = build_tools(config, resume=False, on_event=progress)
    print_summary(summary, sys.stderr)
    print(write_trace(str(registry), None, folder / "trace.html"))
    row = rows(1, seed=1)[0]
    a, b, c = row["numbers"]  # type: ignore[misc]
    example = Example(id="fresh", prompt=(Message(role="user", content=str(row["prompt"])),))
    print(f"\n{example.text}")
    with rlar.load(registry) as scorer:
        answers = [f"{a}*{b}+{c}", f"({c}) + {b}*{a}", f"{a}*{b}-{c}", f"{a}*{b}+{c}+{c}-{c}", "score: 1.0"]
        for answer, reward in zip(
            answers,
            scorer.score([rlar.RoutedSample(example=example, completion=each) for each in answers]),
            strict=True,
        ):
            print(f"  {reward.reward}  {reward.status:8} {answer}")


if __name__ == "__main__":
    main()
