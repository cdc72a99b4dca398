"""The command line: parses, calls one function, prints. Everything heavy is imported inside the command that needs it."""

from __future__ import annotations

import errno
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from rlar.errors import InputError, RlarError, StorageError
from rlar.terminal import guard_streams, say, say_json

HELP = """Rewards you can trust for reinforcement learning of LLMs on mixed tasks.

Start with [bold]rlar agent build-tools --dataset mix.jsonl[/bold]: it finds the tasks in the file, tries to break
every candidate reward tool on them and keeps what survives in registry.db. Then
[bold]rlar score --registry registry.db --input rows.jsonl --output scored.jsonl[/bold] scores completions.
"""

app = typer.Typer(
    help=HELP, no_args_is_help=True, rich_markup_mode="rich", add_completion=False, pretty_exceptions_enable=False
)
agent_app = typer.Typer(
    help="Make reward tools: discover tasks, line up candidates, admit what survives.", no_args_is_help=True
)
tasks_app = typer.Typer(
    help="The tasks that a build discovered, and which task a row belongs to.", no_args_is_help=True
)
tools_app = typer.Typer(help="The reward tools of a registry and their certificates.", no_args_is_help=True)
app.add_typer(agent_app, name="agent")
app.add_typer(tasks_app, name="tasks")
app.add_typer(tools_app, name="tools")
eval_app = typer.Typer(
    help="Measure: rewards on labelled sets, discovery, the gate, a tool, a policy's completions.", no_args_is_help=True
)
app.add_typer(eval_app, name="eval")

RegistryOption = Annotated[
    str, typer.Option("--registry", "-r", help="The registry: a path, or a database URL.", show_default=True)
]
AllowHostOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        help="A host that the registry's judges and servers may be asked at (https://host[:port]); again for more.",
        callback=lambda hosts: _allow_hosts(hosts),
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of a table.")]


def _version(wanted: bool) -> None:
    if wanted:
        from rlar._version import __version__

        say(f"rlar {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version_option: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


# ---------------------------------------------------------------------------------------------- agent


@agent_app.command("build-tools")
def build_tools_command(
    dataset: Annotated[
        list[Path] | None,
        typer.Option("--dataset", "-d", help="JSONL, JSONL.gz or Parquet; give it again for more files."),
    ] = None,
    more: Annotated[list[Path] | None, typer.Argument(help="Further datasets.", show_default=False)] = None,
    registry: RegistryOption = "registry.db",
    llm: Annotated[
        str | None,
        typer.Option(
            help="Who writes tools: openai:MODEL, http://host:8000/v1#MODEL, or none (offline). "
            "Left out: $RLAR_LLM, else a small OpenAI model if OPENAI_API_KEY is set, else none.",
            show_default=False,
        ),
    ] = None,
    hub: Annotated[
        bool, typer.Option("--hub/--no-hub", help="Look for reward models on the Hugging Face Hub.")
    ] = False,
    web: Annotated[bool, typer.Option("--web/--no-web", help="Look for reward models by a web search, too.")] = False,
    approve: Annotated[
        str | None,
        typer.Option(
            help="What the policy does not allow by itself (licence, gated model): ask, never, auto. "
            "Left out: ask in a terminal, else never.",
            show_default=False,
        ),
    ] = None,
    labelled: Annotated[
        Path | None, typer.Option(help="Labelled pairs (JSONL: prompt, better, worse): evidence for the gate.")
    ] = None,
    max_llm_calls: Annotated[int | None, typer.Option(help="Stop asking the LLM after so many calls.")] = None,
    max_llm_tokens: Annotated[int | None, typer.Option(help="... after so many tokens, input and output.")] = None,
    max_cost: Annotated[float | None, typer.Option(help="... after so much money (needs --llm-price).")] = None,
    llm_price: Annotated[
        str | None, typer.Option(help="Price of a million input and output tokens: '0.4,1.6'.")
    ] = None,
    max_download: Annotated[
        str | None, typer.Option(help="Model files in all, e.g. 500MB; 20GB unless said.", show_default=False)
    ] = None,
    max_repairs: Annotated[
        int | None, typer.Option(help="Repairs of a tool that failed the gate; 3 unless said.", show_default=False)
    ] = None,
    report: Annotated[str, typer.Option(help="Folder of the HTML report; '' writes none.")] = "report",
    json_summary: Annotated[bool, typer.Option("--json", help="Print one JSON summary on stdout.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume/--fresh", help="Continue a killed build of the same input, or start anew.")
    ] = True,
    config: Annotated[Path | None, typer.Option(help="TOML file with any of these settings; options win.")] = None,
    prompt_column: Annotated[str | None, typer.Option(help="Column of the prompt, if it has an unusual name.")] = None,
    reference_column: Annotated[str | None, typer.Option(help="Column of the expected answer, if unusual.")] = None,
    max_bad_fraction: Annotated[
        float | None, typer.Option(help="A larger share of unusable rows is an error; 0.1 unless said.")
    ] = None,
    sample_size: Annotated[
        int | None, typer.Option(help="Rows that discovery looks at; the rest is assigned; 20000 unless said.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of sampling and probes; 0 unless said.")] = None,
    policy: Annotated[str | None, typer.Option(help="Admission thresholds: a TOML file of your own.")] = None,
    parallel_tasks: Annotated[int | None, typer.Option(help="Tasks worked on at once; 2 unless said.")] = None,
    retest: Annotated[
        bool, typer.Option("--retest", help="Run the gate again for tools that already passed it.")
    ] = False,
    sandbox_tier: Annotated[
        str | None, typer.Option(help="Isolation of foreign code: auto, ns, ll, sec; auto unless said.")
    ] = None,
    accept_unsafe: Annotated[
        bool,
        typer.Option(
            "--accept-unsafe-execution",
            help="Run code out of datasets WITHOUT isolation if this machine offers none (see `rlar doctor`).",
        ),
    ] = False,
    _allow_host: AllowHostOption = None,
) -> None:
    """Discover the tasks of a mixed file of prompts and admit reward tools for each.

    Writes the registry, shows a live table meanwhile, ends with coverage, reasons, cost and an HTML report.
    Exit status: 0 when finished (even with uncovered tasks), 2 for input that can't be used, 1 for any other error.
    Killed half-way? Run the same command again: it continues where it stopped.

    Example: rlar agent build-tools --dataset examples/mix.jsonl --registry registry.db
    """
    _guard(
        lambda: _build(
            {
                "dataset": [str(path) for path in [*(dataset or []), *(more or [])]] or None,
                "registry": registry,
                "llm": llm,
                "hub": hub or None,
                "web": web or None,
                "approve": approve,
                "labelled": str(labelled) if labelled else None,
                "max_llm_calls": max_llm_calls,
                "max_llm_tokens": max_llm_tokens,
                "max_cost": max_cost,
                "llm_price": llm_price,
                "max_download": max_download,
                "max_repairs": max_repairs,
                "prompt_column": prompt_column,
                "reference_column": reference_column,
                "max_bad_fraction": max_bad_fraction,
                "sample_size": sample_size,
                "seed": seed,
                "policy": policy,
                "parallel_tasks": parallel_tasks,
                "retest": retest or None,
                "sandbox_tier": sandbox_tier,
                "accept_unsafe": accept_unsafe or None,
            },
            report=report,
            config_file=config,
            as_json=json_summary,
            resume=resume,
        )
    )


def _build(values: dict[str, Any], *, report: str, config_file: Path | None, as_json: bool, resume: bool) -> None:
    import os
    import signal

    from rlar.agent.build import Stop, build_tools
    from rlar.agent.progress import BuildProgress, ask_person, print_summary
    from rlar.agent.telemetry import exported_spans
    from rlar.config import make_config, read_bytes, read_config, read_price
    from rlar.errors import ConfigError

    given = {name: value for name, value in values.items() if value is not None}
    given["report"] = report or None
    if "llm_price" in given:
        given["llm_price"] = read_price(given["llm_price"])
    if "max_download" in given:
        given["max_download"] = read_bytes(given["max_download"])
    settings = read_config(config_file, **given) if config_file else None
    if settings is None:
        if "dataset" not in given:
            raise ConfigError("no dataset; say `rlar agent build-tools --dataset mix.jsonl`")
        settings = make_config(given)
    if "llm" not in settings.model_fields_set:
        llm, why = usual_llm(os.environ)
        if why:
            _tell(why)
        settings = settings.model_copy(update={"llm": llm})
    may_ask = sys.stdin.isatty() and sys.stderr.isatty()
    if "approve" not in settings.model_fields_set and may_ask:
        settings = settings.model_copy(update={"approve": "ask"})
    stop = Stop()
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: stop())
    try:
        with exported_spans(os.environ), BuildProgress(sys.stderr) as progress:
            decide = (lambda question: progress.pause(lambda: ask_person(question))) if may_ask else None
            summary = build_tools(settings, resume=resume, on_event=progress, decide=decide, stop=stop)
    finally:
        signal.signal(signal.SIGTERM, before)
    if as_json:
        say_json(summary)
    else:
        print_summary(summary, sys.stderr)


USUAL_MODEL = "openai:gpt-4.1-mini"


def usual_llm(environment: Mapping[str, str]) -> tuple[str, str]:
    """The LLM of a build that names none, and what to tell the user about it."""
    if named := environment.get("RLAR_LLM"):
        return named, f"using {named} (RLAR_LLM); --llm none builds offline"
    if environment.get("OPENAI_API_KEY"):
        return USUAL_MODEL, f"using {USUAL_MODEL}, since OPENAI_API_KEY is set; --llm none builds offline"
    return "none", ""


@agent_app.command("graph")
def graph_command() -> None:
    """Print the build graph as Mermaid text (the graph that `langgraph dev` opens in Studio)."""
    from rlar.agent.bench import Workbench
    from rlar.agent.graph import make_graph

    say(make_graph(Workbench()).get_graph(xray=True).draw_mermaid())


@agent_app.command("trace")
def trace_command(
    run: Annotated[str | None, typer.Argument(help="Thread id of a build, or its beginning; the newest.")] = None,
    registry: RegistryOption = "registry.db",
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML file to write.")] = Path("trace.html"),
) -> None:
    """Write the whole story of a build as one offline page: steps, prompts and answers, sources, probes, cost."""
    from rlar.agent.trace import write_trace

    _guard(lambda: _tell(write_trace(registry, run, output)))


@agent_app.command("runs")
def runs_command(registry: RegistryOption = "registry.db") -> None:
    """List the builds whose trace lies beside a registry: thread id, finished or not, steps."""
    from rlar.agent.publish import traced_runs

    def run() -> None:
        for item in traced_runs(registry):
            say(f"{item.thread}  {'finished' if item.finished else 'unfinished'}  {item.steps} steps")

    _guard(run)


@agent_app.command("studio")
def studio_command(
    registry: RegistryOption = "registry.db",
    url: Annotated[str, typer.Option(help="Address of the running dev server.")] = "http://127.0.0.1:2024",
) -> None:
    """Make a running `langgraph dev` list the builds of the command line, so that Studio opens their traces.

    Start it first, from the folder of langgraph.json: RLAR_TRACE=registry.db.trace langgraph dev --no-browser
    """
    from rlar.agent.publish import publish_runs

    _guard(lambda: _tell("\n".join(publish_runs(registry, url))))


# ---------------------------------------------------------------------------------------------- tasks


@tasks_app.command("list")
def tasks_list_command(registry: RegistryOption = "registry.db", json_output: JsonOption = False) -> None:
    """List the discovered tasks: fingerprint, label, answer kind, rows, and which tools give their reward."""
    from rlar.report.table import list_tasks

    _guard(lambda: _show(list_tasks(registry), as_json=json_output))


@tasks_app.command("assign")
def tasks_assign_command(
    input_path: Annotated[Path, typer.Option("--input", "-i", help="Rows: JSONL, JSONL.gz or Parquet.")],
    output_path: Annotated[Path, typer.Option("--output", "-o", help="JSONL (or .gz) to write.")],
    registry: RegistryOption = "registry.db",
    prompt_column: Annotated[str | None, typer.Option(help="Column of the prompt, if it has an unusual name.")] = None,
    reference_column: Annotated[str | None, typer.Option(help="Column of the expected answer, if unusual.")] = None,
) -> None:
    """Write every row back, in order, with its `fingerprint` (or "unknown"), `task` (label) and `confidence`."""
    from rlar.scoring.files import assign_file

    _guard(
        lambda: _tell(assign_file(registry, input_path, output_path, prompt=prompt_column, reference=reference_column))
    )


# ---------------------------------------------------------------------------------------------- tools


@tools_app.command("list")
def tools_list_command(registry: RegistryOption = "registry.db", json_output: JsonOption = False) -> None:
    """List every tool that was tried, per task: admitted or rejected, discrimination, cost, reasons."""
    from rlar.report.table import list_tools

    _guard(lambda: _show(list_tools(registry), as_json=json_output))


@tools_app.command("show")
def tools_show_command(
    tool: Annotated[str, typer.Argument(help="Tool id, or the beginning of one.")],
    registry: RegistryOption = "registry.db",
    json_output: JsonOption = False,
) -> None:
    """Show one tool: what it is, where it came from, and its certificates check by check."""
    from rlar.report.table import show_tool

    _guard(lambda: _show(show_tool(registry, tool), as_json=json_output))


@tools_app.command("test")
def tools_test_command(
    tool: Annotated[
        str | None, typer.Argument(help="Tool id (or its beginning); none tests every served tool.")
    ] = None,
    registry: RegistryOption = "registry.db",
    store: Annotated[
        bool, typer.Option("--store", help="Store the new certificates: the latest decides what is served.")
    ] = False,
    labelled: Annotated[
        Path | None, typer.Option(help="The labelled pairs that a judge's or model's certificate rests on.")
    ] = None,
    json_output: JsonOption = False,
    _allow_host: AllowHostOption = None,
) -> None:
    """Run the admission probes again and compare with the stored certificates.

    Exit status 1 when a verdict changed.
    """
    from rlar.gate.retest import retest

    def run() -> None:
        listing = retest(registry, tool, store=store, labelled=str(labelled) if labelled else None)
        _show(listing, as_json=json_output)
        if listing.changed:
            raise typer.Exit(1)

    _guard(run)


@tools_app.command("lock")
def tools_lock_command(
    registry: RegistryOption = "registry.db",
    output: Annotated[Path, typer.Option("--output", "-o", help="The lock file to write.")] = Path("rlar.lock"),
) -> None:
    """Write every tool id, code hash, recipe and calibration to a lock file."""
    from rlar.scoring.lock_file import write_lock

    _guard(lambda: _tell(write_lock(registry, output)))


@tools_app.command("diff")
def tools_diff_command(
    old: Annotated[str, typer.Argument(help="A registry or a lock file.")],
    new: Annotated[str, typer.Argument(help="A registry or a lock file.")],
    on: Annotated[
        Path | None, typer.Option("--on", help="Stored rollouts: rows with `completion` or `completions`.")
    ] = None,
    registry: Annotated[
        str | None, typer.Option("--registry", "-r", help="With --on: the registry whose rows the lock files use.")
    ] = None,
    json_output: JsonOption = False,
    _allow_host: AllowHostOption = None,
) -> None:
    """Show what changed between two registries or lock files. Exit status 1 when anything did.

    With --on, score the rollouts under both and show which rewards changed and why (recipe, tool, calibration, status).

    Example: rlar tools diff old.lock registry.db --on rollouts.jsonl
    """
    from rlar.scoring.lock_file import show_difference

    def run() -> None:
        if on is None:
            listing = show_difference(old, new)
        else:
            from rlar.scoring.rescore import rescore

            listing = rescore(old, new, on, registry=registry)
        _show(listing, as_json=json_output)
        if listing.changed:
            raise typer.Exit(1)

    _guard(run)


# ---------------------------------------------------------------------------------------------- score, doctor


@app.command("score")
def score_command(
    input_path: Annotated[Path, typer.Option("--input", "-i", help="Rows with `completion` or `completions`.")],
    output_path: Annotated[Path, typer.Option("--output", "-o", help="JSONL (or .gz) to write.")],
    registry: RegistryOption = "registry.db",
    prompt_column: Annotated[str | None, typer.Option(help="Column of the prompt, if it has an unusual name.")] = None,
    reference_column: Annotated[str | None, typer.Option(help="Column of the expected answer, if unusual.")] = None,
    sandbox_tier: Annotated[str, typer.Option(help="Isolation of foreign code: auto, ns, ll, sec.")] = "auto",
    accept_unsafe: Annotated[
        bool, typer.Option("--accept-unsafe-execution", help="Run code WITHOUT isolation where there is none.")
    ] = False,
    _allow_host: AllowHostOption = None,
) -> None:
    """Score completions with the admitted tools; one output row per input row, in order.

    A row: {"prompt": ..., "reference"?: ..., "completion": "..."} or "completions": ["...", ...], plus its other columns.
    A reward is a number in [0, 1], or null with a status that says why (abstain, failed, timeout, unknown, uncovered).

    Exit status: 0 when scored, 1 when not one completion got a reward and tools that broke (failed, timeout) are why:
    the output is written all the same; 2 for input that can't be used.
    """
    from rlar.scoring.files import score_file

    _guard(
        lambda: _tell(
            score_file(
                registry,
                input_path,
                output_path,
                prompt=prompt_column,
                reference=reference_column,
                sandbox_tier=sandbox_tier,
                accept_unsafe=accept_unsafe,
            )
        )
    )


@app.command("train")
def train_command(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="TOML file of settings; options win.")] = None,
    dataset: Annotated[
        list[Path] | None, typer.Option("--dataset", "-d", help="Rows to train on; again for more files.")
    ] = None,
    registry: Annotated[str | None, typer.Option("--registry", "-r", help="The registry with the rewards.")] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Folder of checkpoints, metrics, report.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Updates.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    evolve_every: Annotated[
        int | None, typer.Option("--evolve-every", help="Steps between hand-overs of unknown rows to the agent.")
    ] = None,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes that train together: one a GPU, or one a core of a CPU.")
    ] = 1,
    resume: Annotated[
        bool, typer.Option("--resume/--fresh", help="Continue from the newest checkpoint in the output folder.")
    ] = True,
    json_summary: Annotated[bool, typer.Option("--json", help="Print one JSON summary on stdout.")] = False,
    _allow_host: AllowHostOption = None,
) -> None:
    """Train a model by GRPO; each row's reward comes from the tools that were admitted for its task.

    Needs torch: pip install 'rlar[train]'. SIGTERM writes a checkpoint and stops; run it again to go on.
    On a CPU several processes use the cores better than one with many threads.

    Example: rlar train --config examples/train_tiny.toml
    """
    overrides = {
        "dataset": [str(path) for path in dataset] if dataset else None,
        "registry": registry,
        "output": output,
        "steps": steps,
        "seed": seed,
        "evolve_every": evolve_every,
    }
    _guard(lambda: _train(config, overrides, processes=processes, resume=resume, as_json=json_summary))


def _train(config_file: Path | None, overrides: dict[str, Any], *, processes: int, resume: bool, as_json: bool) -> None:
    import contextlib
    import os

    from rlar.errors import ConfigError
    from rlar.trainer.config import read_train_config
    from rlar.trainer.distributed import become_torchrun, read_launch

    launch = read_launch(os.environ)
    config = read_train_config(config_file, overrides)
    try:
        from rlar.trainer.start import check_settings, run_training
    except ImportError as error:
        raise ConfigError(f"training needs {error.name}: pip install 'rlar[train]'") from error
    from rlar.trainer.record.progress import TrainProgress

    if processes > 1:
        check_settings(config, processes)  # said once, not by every process
        become_torchrun(processes, launch, sys.argv[1:])
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(TrainProgress(sys.stderr)) if launch.rank == 0 else lambda event: None
        summary = run_training(config, resume=resume, emit=progress, evolve=_evolver(config.registry), launch=launch)
    if launch.rank > 0:
        return
    if as_json:
        say_json(summary)
    else:
        _tell(f"report   {summary['report']}")


def _evolver(registry: str) -> Any:
    """What training calls to have unknown rows and tools in doubt looked at: a build of the agent on the same registry."""

    def evolve(examples: Any, tools: dict[str, str]) -> bool:
        import tempfile

        from rlar.agent.build import build_tools
        from rlar.config import BuildConfig
        from rlar.gate.retest import retest
        from rlar.registry.registry import Registry
        from rlar.rows.read import write_jsonl_atomic

        with Registry.open(registry, readonly=True) as before:
            version = before.data_version()
        with tempfile.TemporaryDirectory() as folder:
            rows = Path(folder) / "unknown.jsonl"
            written = write_jsonl_atomic(
                rows,
                (
                    {
                        **example.columns,
                        "prompt": [turn.model_dump() for turn in example.prompt],
                        **({"reference": list(example.references)} if example.references else {}),
                    }
                    for example in examples
                ),
            )
            if written:
                build_tools(BuildConfig(dataset=(str(rows),), registry=registry, report=None))
        for tool in tools:
            retest(registry, tool, store=True)  # one that keeps failing is rejected, and its task uncovered
        with Registry.open(registry, readonly=True) as after:
            changed = after.data_version() != version
        if tools:
            with Registry.open(registry) as writing:
                for tool, why in tools.items():
                    writing.add_event("doubted", who="rlar train", subject=tool, details={"why": why})
        return changed

    return evolve


# ---------------------------------------------------------------------------------------------- eval

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
    sandbox_tier: Annotated[str, typer.Option(help="Isolation of foreign code: auto, ns, ll, sec.")] = "auto",
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
        found = evaluate_rewards(
            registry, [*data, *(more or [])], reference=reference, without=chosen, limit=limit, seed=seed,
            sandbox_tier=sandbox_tier, command=sys.argv, tell=_tell,
        )  # fmt: skip
        _report(found, report)

    _guard(run)


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

    _guard(run)


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

        found = evaluate_gate(
            dataset or (), registry=registry, data=data or (), tools=tool or (), rewrites=rewrites, seed=seed,
            seconds=max_seconds, command=sys.argv, tell=_tell,
        )  # fmt: skip
        _tell(f"{found['killed']} of {found['counted']} verdict-changing mutants killed, "
              f"{len(found['false_rejections'])} right tools rejected")  # fmt: skip
        _report(found, report)

    _guard(run)


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

    _guard(run)


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

    _guard(run)


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

    _guard(run)


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
        _show(listing, as_json=json_output)
        if listing.changed:
            raise typer.Exit(1)

    _guard(run)


def _report(result: Any, folder: Path) -> None:
    from rlar.report.page import write_report

    _tell(f"report   {write_report(result, folder)}")


# ---------------------------------------------------------------------------------------------- data

data_app = typer.Typer(help="Datasets for the trainers that rlar gives rewards to.", no_args_is_help=True)
app.add_typer(data_app, name="data")


@data_app.command("export")
def data_export_command(
    dataset: Annotated[
        list[Path], typer.Option("--dataset", "-d", help="JSONL, JSONL.gz or Parquet; give it again for more files.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .parquet, .jsonl or .jsonl.gz file, or a folder.")],
    to: Annotated[str, typer.Option(help="Whose row shape: verl, trl or openrlhf (slime reads that one, too).")],
    registry: RegistryOption = "registry.db",
    prompt_as: Annotated[str, typer.Option(help="messages (the host applies a chat template) or text.")] = "messages",
    keep_unscored: Annotated[
        bool, typer.Option("--keep-unscored", help="Keep rows of unknown and uncovered tasks, which get no reward.")
    ] = False,
    prompt_column: Annotated[str | None, typer.Option(help="Column of the prompt, if it has an unusual name.")] = None,
    reference_column: Annotated[str | None, typer.Option(help="Column of the expected answer, if unusual.")] = None,
    max_bad_fraction: Annotated[float, typer.Option(help="A larger share of unusable rows is an error.")] = 0.1,
) -> None:
    """Write a dataset for a trainer, each row with what finds its task again when the trainer passes no prompt.

    Example: rlar data export --registry registry.db --dataset mix.jsonl --to verl --output export/
    """

    def run() -> None:
        from rlar.errors import ConfigError
        from rlar.integrations.export import export_data
        from rlar.rows.read import ColumnMap

        for name, value, choices in (("--to", to, ("verl", "trl", "openrlhf")),
                                     ("--prompt-as", prompt_as, ("messages", "text"))):  # fmt: skip
            if value not in choices:
                raise ConfigError(f"{name} {value}: expected one of {', '.join(choices)}")
        columns = ColumnMap(prompt=prompt_column, reference=reference_column)
        _tell(
            export_data(
                registry, dataset, output, to=to, prompt_as=prompt_as, keep_unscored=keep_unscored,  # type: ignore[arg-type]
                columns=columns, max_bad_fraction=max_bad_fraction,
            )
        )  # fmt: skip

    _guard(run)


# ---------------------------------------------------------------------------------------------- serve


@app.command("serve")
def serve_command(
    registry: RegistryOption = "registry.db",
    host: Annotated[str, typer.Option(help="Address to listen on; any but loopback needs a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    token_variable: Annotated[
        str, typer.Option(help="Environment variable that holds the token clients must show.")
    ] = "RLAR_TOKEN",
    workers: Annotated[int, typer.Option(min=1, help="Server processes over the one registry.")] = 1,
    max_body_mb: Annotated[float, typer.Option(help="A larger request is refused (413).")] = 16.0,
    max_queue: Annotated[
        int, typer.Option(min=1, help="Completions waiting in a process; beyond that 503 and Retry-After.")
    ] = 8192,
    max_concurrency: Annotated[int, typer.Option(min=1, help="Batches scored at the same time in a process.")] = 4,
    max_samples: Annotated[int, typer.Option(min=1, help="Completions in one request.")] = 1024,
    batch_window_ms: Annotated[float, typer.Option(min=0, help="How long a request waits for others.")] = 3.0,
    neutral: Annotated[
        float, typer.Option(help="The number for hosts that cannot be told 'no reward'; see docs/serving.md.")
    ] = 0.0,
    sandbox_tier: Annotated[str, typer.Option(help="Isolation of foreign code: auto, ns, ll, sec.")] = "auto",
    accept_unsafe: Annotated[
        bool, typer.Option("--accept-unsafe-execution", help="Run code WITHOUT isolation where there is none.")
    ] = False,
    plugin: Annotated[list[str] | None, typer.Option(help="Module to import first; again for more.")] = None,
    _allow_host: AllowHostOption = None,
) -> None:
    """Serve rewards over HTTP: /score, and the remote-reward routes of OpenRLHF, slime and NeMo-Gym.

    Answers only this machine unless a token is set. SIGTERM finishes what was accepted.

    Example: rlar serve --registry registry.db --port 8000
    """

    def run() -> None:
        import os

        from pydantic import ValidationError

        from rlar.errors import ConfigError
        from rlar.server.serve import serve
        from rlar.server.settings import ServeSettings

        token = os.environ.get(token_variable)
        if token is None and token_variable != "RLAR_TOKEN":
            raise ConfigError(f"--token-variable {token_variable}: there is no such environment variable")
        try:
            settings = ServeSettings.model_validate({
                "registry": registry, "host": host, "port": port, "token": token, "workers": workers,
                "max_body_mb": max_body_mb, "max_queue": max_queue, "max_concurrency": max_concurrency,
                "max_samples": max_samples, "batch_window_ms": batch_window_ms, "neutral": neutral,
                "sandbox_tier": sandbox_tier, "accept_unsafe": accept_unsafe, "plugins": tuple(plugin or ()),
            })  # fmt: skip
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            raise ConfigError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        serve(settings, token_variable=token_variable, tell=_tell)

    _guard(run)


@app.command("doctor")
def doctor_command(json_output: JsonOption = False) -> None:
    """Check this machine: which sandbox tiers work, why the others do not and how to get them; versions."""
    from rlar.report.table import doctor

    _guard(lambda: _show(doctor(), as_json=json_output))


# ---------------------------------------------------------------------------------------------- plumbing


def _allow_hosts(hosts: list[str] | None) -> list[str] | None:
    """Said in the environment, where every process that the command starts finds it, too; read by rlar.network."""
    import os

    if hosts:
        os.environ["RLAR_ALLOW_HOSTS"] = " ".join([os.environ.get("RLAR_ALLOW_HOSTS", ""), *hosts]).strip()
    return hosts


def _show(listing: Any, *, as_json: bool) -> None:
    """Print a rlar.report.table.Listing: JSON on stdout, or a table."""
    if as_json:
        say_json(listing.data, indent=2)
    else:
        listing.print(sys.stdout)


def _tell(line: str) -> None:
    say(line, err=True)


def _guard(call: Any) -> None:
    """Run a command; our own errors become one clear line and an exit status: 2 for bad input, 1 for the rest."""
    try:
        call()
    except InputError as error:
        _fail(error, 2)
    except RlarError as error:
        _fail(error, 1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS):
            raise
        from rlar.rows.atomic import write_failure

        _fail(StorageError(write_failure(error.filename or "standard output or a temporary file", error)), 1)
    except KeyboardInterrupt:
        say("stopped; a build continues when the same command is run again", err=True)
        sys.exit(130)


def _fail(error: RlarError, status: int) -> NoReturn:
    say(f"error: {error}", err=True)
    sys.exit(status)


def main() -> None:
    """Entry point of the `rlar` command."""
    guard_streams()
    app()


if __name__ == "__main__":
    main()
