"""`rlar agent`: make reward tools and look at how they were made."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from rlar.cli.app import AllowHostOption, RegistryOption, app, guard, tell
from rlar.cli.options import Given, settings_command
from rlar.terminal import say, say_json

agent_app = typer.Typer(
    help="Make reward tools: discover tasks, line up candidates, admit what survives.", no_args_is_help=True
)
app.add_typer(agent_app, name="agent")


@settings_command(agent_app, "build-tools", "rlar.config:BuildConfig")
def build_tools_command(
    given: Given,
    more: Annotated[list[Path] | None, typer.Argument(help="Further datasets.", show_default=False)] = None,
    json_summary: Annotated[bool, typer.Option("--json", help="Print one JSON summary on stdout.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume/--fresh", help="Continue a killed build of the same input, or start anew.")
    ] = True,
    config: Annotated[Path | None, typer.Option(help="TOML file with any of these settings; options win.")] = None,
    _allow_host: AllowHostOption = None,
) -> None:
    """Discover the tasks of a mixed file of prompts and admit reward tools for each.

    Writes the registry, shows a live table meanwhile, ends with coverage, reasons, cost and an HTML report.
    Exit status: 0 when finished (even with uncovered tasks), 2 for input that can't be used, 1 for any other error.
    Killed half-way? Run the same command again: it continues where it stopped.

    Example: rlar agent build-tools --dataset examples/mix.jsonl --registry registry.db
    """
    import os
    import signal

    from rlar.agent.build import Stop, build_tools
    from rlar.agent.progress import BuildProgress, ask_person, print_summary
    from rlar.agent.telemetry import exported_spans
    from rlar.config import make_config, read_config
    from rlar.errors import ConfigError

    if more:
        given["dataset"] = [*given.get("dataset", ()), *map(str, more)]
    if config is None and "dataset" not in given:
        raise ConfigError("no dataset; say `rlar agent build-tools --dataset mix.jsonl`")
    settings = read_config(config, **given) if config else make_config(given)
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
    if json_summary:
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
    from rlar.agent.trace import traced_runs

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
    from rlar.agent.trace import publish_runs

    guard(lambda: tell("\n".join(publish_runs(registry, url))))
