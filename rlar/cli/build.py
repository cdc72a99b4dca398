"""`rlar agent`: make reward tools and look at how they were made."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from rlar.cli.app import AllowHostOption, RegistryOption, app, guard, tell
from rlar.terminal import say, say_json

agent_app = typer.Typer(
    help="Make reward tools: discover tasks, line up candidates, admit what survives.", no_args_is_help=True
)
app.add_typer(agent_app, name="agent")


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
    guard(
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
            tell(why)
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

    guard(lambda: tell(write_trace(registry, run, output)))


@agent_app.command("runs")
def runs_command(registry: RegistryOption = "registry.db") -> None:
    """List the builds whose trace lies beside a registry: thread id, finished or not, steps."""
    from rlar.agent.publish import traced_runs

    def run() -> None:
        for item in traced_runs(registry):
            say(f"{item.thread}  {'finished' if item.finished else 'unfinished'}  {item.steps} steps")

    guard(run)


@agent_app.command("studio")
def studio_command(
    registry: RegistryOption = "registry.db",
    url: Annotated[str, typer.Option(help="Address of the running dev server.")] = "http://127.0.0.1:2024",
) -> None:
    """Make a running `langgraph dev` list the builds of the command line, so that Studio opens their traces.

    Start it first, from the folder of langgraph.json: RLAR_TRACE=registry.db.trace langgraph dev --no-browser
    """
    from rlar.agent.publish import publish_runs

    guard(lambda: tell("\n".join(publish_runs(registry, url))))
