"""`rlar eval`: measure."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rlar.cli.app import AllowHostOption, JsonOption, RegistryOption, SandboxTierOption, app, guard, show, tell

eval_app = typer.Typer(
    help="Measure: rewards on labelled sets, discovery, the gate, a tool, a policy's completions.", no_args_is_help=True
)
app.add_typer(eval_app, name="eval")


ReportOption = Annotated[Path, typer.Option("--report", help="Folder of report.html, report.md and report.json.")]
SeedOption = Annotated[int, typer.Option(help="Seed of everything random.")]


@eval_app.command("rewards")
def eval_rewards_command(
    data: Annotated[list[Path], typer.Option("--data", "-d", help="A labelled set; again for more (docs/evals.md).")],
    more: Annotated[list[Path] | None, typer.Argument(help="Further labelled sets.", show_default=False)] = None,
    registry: RegistryOption = "registry.db",
    report: ReportOption = Path("eval-rewards"),
    reference: Annotated[
        str | None, typer.Option(help="Where rows keep the expected answer, e.g. meta.ground_truth.")
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(help="Ablations: library, generated, hub, gate, calibration, router; all unless said."),
    ] = None,
    limit: Annotated[int, typer.Option(help="At most so many prompts of a set; 0: all.")] = 0,
    seed: SeedOption = 0,
    sandbox_tier: SandboxTierOption = "auto",
    _allow_host: AllowHostOption = None,
) -> None:
    """How right the rewards are on labelled sets, beside baselines, every single tool, ablations and bounds.

    Example: rlar eval rewards --registry registry.db --data labelled.jsonl --report eval-rewards
    """

    def run() -> None:
        from rlar.errors import ConfigError
        from rlar.evals.rewards import ABLATIONS, evaluate_rewards

        chosen = tuple(without) if without else ABLATIONS
        if unknown := set(chosen) - set(ABLATIONS):
            raise ConfigError(f"--without {', '.join(sorted(unknown))}: expected one of {', '.join(ABLATIONS)}")
        result = evaluate_rewards(
            registry, [*data, *(more or [])], reference=reference, without=chosen, limit=limit, seed=seed,
            sandbox_tier=sandbox_tier, command=sys.argv, tell=tell,
        )  # fmt: skip
        _report(result, report)

    guard(run)


@eval_app.command("discovery")
def eval_discovery_command(
    dataset: Annotated[list[Path], typer.Option("--dataset", "-d", help="Rows with ids; again for more files.")],
    key: Annotated[Path, typer.Option(help="True tasks: rows {id, task}; read by nothing else.")],
    report: ReportOption = Path("eval-discovery"),
    column: Annotated[str, typer.Option(help="Column of the key that names the task.")] = "task",
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="Fit again without each task: where do its rows go?")
    ] = False,
    limit: Annotated[int, typer.Option(help="At most so many rows; 0: all.")] = 0,
    seed: SeedOption = 0,
) -> None:
    """Purity, coverage, unknown precision and recall of task discovery against a key; leave-one-task-out."""

    def run() -> None:
        from rlar.evals.discovery import evaluate_discovery

        _report(evaluate_discovery(dataset, key, column=column, leave_out=leave_out, limit=limit, seed=seed,
                                   command=sys.argv), report)  # fmt: skip

    guard(run)


@eval_app.command("gate")
def eval_gate_command(
    dataset: Annotated[
        list[Path] | None, typer.Option("--dataset", "-d", help="Rows whose tasks to try it on.")
    ] = None,
    registry: Annotated[str | None, typer.Option("--registry", "-r", help="Take the tasks of a registry.")] = None,
    data: Annotated[list[Path] | None, typer.Option("--data", help="Labelled sets: further witnesses.")] = None,
    tool: Annotated[list[str] | None, typer.Option(help="Library names to mutate; all that claim a task.")] = None,
    rewrites: Annotated[int, typer.Option(help="Rewritten mutants per tool, beside the wrapped ones.")] = 12,
    max_seconds: Annotated[float, typer.Option(help="Start no further tool after so long; 0: never stop.")] = 0.0,
    report: ReportOption = Path("eval-gate"),
    seed: SeedOption = 0,
) -> None:
    """Mutation testing of the admission gate: how many wrong tools it rejects, by which check, and any right one.

    Example: rlar eval gate --dataset examples/mix.jsonl
    """

    def run() -> None:
        from rlar.evals.gate import evaluate_gate

        result = evaluate_gate(
            dataset or (), registry=registry, data=data or (), tools=tool or (), rewrites=rewrites, seed=seed,
            seconds=max_seconds, command=sys.argv, tell=tell,
        )  # fmt: skip
        tell(f"{result['killed']} of {result['counted']} verdict-changing mutants killed, "
              f"{len(result['false_rejections'])} right tools rejected")  # fmt: skip
        _report(result, report)

    guard(run)


@eval_app.command("tool")
def eval_tool_command(
    tool: Annotated[str, typer.Argument(help="Tool id, or the beginning of one.")],
    registry: RegistryOption = "registry.db",
    data: Annotated[
        list[Path] | None, typer.Option("--data", "-d", help="Labelled sets; none: the gate's probes.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="Fingerprint of the task, or its beginning.")] = None,
    report: ReportOption = Path("eval-tool"),
    seed: SeedOption = 0,
    _allow_host: AllowHostOption = None,
) -> None:
    """One tool's profile: calibration, scores by label, sensitivity to length, style and position, its certificate."""

    def run() -> None:
        from rlar.evals.profile import evaluate_tool

        _report(evaluate_tool(registry, tool, data=data or (), task=task, seed=seed, command=sys.argv), report)

    guard(run)


@eval_app.command("policy")
def eval_policy_command(
    completions: Annotated[Path, typer.Option("--completions", "-i", help="Rows with `completions` (and `labels`).")],
    registry: RegistryOption = "registry.db",
    second: Annotated[str | None, typer.Option(help="Another registry, e.g. a held-out audit reward.")] = None,
    report: ReportOption = Path("eval-policy"),
    seed: SeedOption = 0,
    _allow_host: AllowHostOption = None,
) -> None:
    """Completions of a model scored per task, with pass@k and a second registry or labels beside it."""

    def run() -> None:
        from rlar.evals.policy import evaluate_policy

        _report(evaluate_policy(registry, completions, second=second, seed=seed, command=sys.argv), report)

    guard(run)


@eval_app.command("simulate")
def eval_simulate_command(
    seeds: Annotated[int, typer.Option(help="Draws of tools and items.")] = 20,
    tools: Annotated[int, typer.Option(help="Simulated tools.")] = 5,
    subsets: Annotated[int, typer.Option(help="Kinds of task.")] = 6,
    report: ReportOption = Path("eval-simulate"),
    seed: SeedOption = 0,
) -> None:
    """Tools of known accuracy: what routing gains, and its regret against the oracle by number of probe rows."""

    def run() -> None:
        from rlar.evals.simulate import simulate

        _report(simulate(seeds=seeds, tools=tools, subsets=subsets, seed=seed, command=sys.argv), report)

    guard(run)


@eval_app.command("diff")
def eval_diff_command(
    old: Annotated[Path, typer.Argument(help="A report.json.")],
    new: Annotated[Path, typer.Argument(help="A report.json of the same kind.")],
    tolerance: Annotated[float, typer.Option(help="Smaller differences are none.")] = 0.0,
    json_output: JsonOption = False,
) -> None:
    """Compare two reports, number by number; says when they were not taken on the same data. Exit 1: worse or changed."""

    def run() -> None:
        from rlar.evals.diff import compare_results

        listing = compare_results(old, new, tolerance=tolerance)
        show(listing, as_json=json_output)
        if listing.changed:
            raise typer.Exit(1)

    guard(run)


def _report(result: Any, folder: Path) -> None:
    from rlar.report.page import write_report

    tell(f"report   {write_report(result, folder)}")
