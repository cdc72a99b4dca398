"""`rlar check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rlar.cli.app import PromptColumnOption, ReferenceColumnOption, app, guard, tell
from rlar.terminal import say, say_json


@app.command("check")
def check_command(
    function: Annotated[
        str | None,
        typer.Argument(help="FILE.py:FUNCTION, or http://host/route; left out, with --registry: what that serves."),
    ] = None,
    dataset: Annotated[
        list[Path] | None, typer.Option("--dataset", "-d", help="Rows that the function is meant for; again for more.")
    ] = None,
    shape: Annotated[
        str,
        typer.Option(
            help="How it is called: auto, trl, verl, openrlhf, verifiers, plain; of a route gym, openrlhf, slime."
        ),
    ] = "auto",
    role: Annotated[
        str | None, typer.Option(help="verifier or quality; as the best library tool of the task, unless said.")
    ] = None,
    scale: Annotated[
        str | None, typer.Option("--range", help="LOW,HIGH: what it gives for nothing and for a right answer; learned.")
    ] = None,
    python: Annotated[str, typer.Option(help="Interpreter that runs the function; this one unless said.")] = "",
    seconds: Annotated[float, typer.Option(min=0.05, help="A call may take so long for one completion.")] = 5.0,
    memory_mb: Annotated[int, typer.Option(min=0, help="Limit of the function's memory; 0: none.")] = 0,
    limit: Annotated[int, typer.Option(min=0, help="At most so many rows; 0: all.")] = 0,
    shrink: Annotated[
        bool, typer.Option("--shrink", help="Reduce each completion that fools it to the shortest that still does.")
    ] = False,
    search: Annotated[
        int, typer.Option(min=0, help="Calls a task that look for further completions which fool it.")
    ] = 0,
    fail_on: Annotated[
        list[str] | None,
        typer.Option("--fail-on", help="Checks that count for the exit status; all mandatory ones unless said."),
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="A card of before (--output): only what held there counts.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for card.json, card.md, card.html and junit.xml.")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the card as JSON on stdout.")] = False,
    admit: Annotated[
        bool, typer.Option("--admit", help="Store it in the registry, where it passed, as a tool of its tasks.")
    ] = False,
    registry: Annotated[str, typer.Option("--registry", "-r", help="The registry of --admit.")] = "registry.db",
    prompt_column: PromptColumnOption = None,
    reference_column: ReferenceColumnOption = None,
    seed: Annotated[int, typer.Option(help="Seed of probes and search.")] = 0,
) -> None:
    """Try to break a reward function that you already have: what it lets through, what it refuses, how it breaks.

    It is called as TRL, verl, OpenRLHF or verifiers call it, in a process of its own with your rights.
    Exit status: 0 when every mandatory check holds on every task, 1 when one does not.

    Example: rlar check my_rewards.py:accuracy_reward --dataset rows.jsonl
    """

    def run() -> None:
        from rlar.check.card import Card, lines_of, write_cards
        from rlar.check.check import Settings, check_reward, scale_of
        from rlar.errors import ConfigError
        from rlar.gate.policy import load_policy
        from rlar.rows.example import ColumnMap

        if function is None:
            if not search:
                raise ConfigError(
                    "name a function: rlar check my_rewards.py:accuracy_reward --dataset rows.jsonl; "
                    "or search what a registry serves: rlar check --registry registry.db --search 500"
                )
            _search_registry(registry, search, seed)
            return
        settings = Settings(
            shape=shape,  # type: ignore[arg-type]  # checked there
            role=role,  # type: ignore[arg-type]  # likewise
            scale=scale_of(scale), python=python, seconds=seconds, memory_mb=memory_mb, limit=limit, shrink=shrink,
            search=search, columns=ColumnMap(prompt=prompt_column, reference=reference_column), seed=seed,
        )  # fmt: skip
        checks = {"rows", *(name for limits in load_policy().roles.values() for name in limits.mandatory)}
        if unknown := sorted({*(fail_on or ())} - checks):
            raise ConfigError(f"--fail-on {unknown[0]}: expected one of {', '.join(sorted(checks))}")
        before = Card.read(baseline) if baseline else None
        card, _ = check_reward(function, dataset or (), settings, tell=tell)
        if before is not None and before.function != card.function:
            raise ConfigError(f"--baseline {baseline}: a card of {before.function}, not of {card.function}")
        if json_output:
            say_json(card.model_dump(mode="json"), indent=1)
        else:
            say("\n".join(lines_of(card)))
        if output:
            tell(f"written: {write_cards(card, output)}")
        if admit:
            from rlar.check.registry import admit as admit_to

            tell("\n".join(admit_to(function, dataset or (), settings, registry)))
        failing = {key for key in card.failing() if before is None or key not in before.failing()}
        if fail_on:
            failing = {key for key in failing if key[1] in (*fail_on, "problem")}
        if failing:
            raise typer.Exit(1)

    guard(run)


def _search_registry(registry: str, calls: int, seed: int) -> None:
    from rlar.check.card import excerpt
    from rlar.check.registry import search_registry

    is_silent = False
    for task, entries, spent, rewarded in search_registry(registry, calls=calls, seed=seed, tell=tell):
        if not rewarded:
            is_silent = True
            say(f"{task.label}: not searched: none of {spent} calls got a reward (`rlar score` says why)")
            continue
        say(f"{task.label}: {len(entries)} texts without a reference in them are rewarded ({spent} calls)")
        for entry in entries:
            say(f"  {entry.score:.2f}  {excerpt(entry.completion)}  for {excerpt(entry.reference or '')}")
    if is_silent:
        raise typer.Exit(1)
