"""`rlar env`: environments that answer a policy between its turns."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rlar.cli.app import JsonOption, app, guard, show, tell

env_app = typer.Typer(help="Environments for training on several turns.", no_args_is_help=True)
app.add_typer(env_app, name="env")

DatasetOption = Annotated[Path, typer.Option("--dataset", "-d", help="Rows: JSONL, JSONL.gz or Parquet.")]
NameArgument = Annotated[str, typer.Argument(help="A name of `rlar env list`, or module:Class, whose code runs.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting of [environment]: size=5, or corpus=docs.jsonl; again for more."),
]


@env_app.command("list")
def env_list_command(json_output: JsonOption = False) -> None:
    """List the environments that rlar ships: what they do, and who judges an episode."""

    def run() -> None:
        from rlar.report.table import Listing
        from rlar.trainer.environments import ENVIRONMENTS, environment_class

        rows = [(name, environment_class(name).reward, environment_class(name).summary) for name in ENVIRONMENTS]
        columns = ("name", "judge", "what it does")
        show(Listing([dict(zip(columns, row, strict=True)) for row in rows], columns, rows), as_json=json_output)

    guard(run)


@env_app.command("check")
def env_check_command(
    name: NameArgument, dataset: DatasetOption, settings: SetOption = None, json_output: JsonOption = False
) -> None:
    """Try to break an environment on a file's rows before a policy does; exit status 1 where a check failed.

    Determinism, isolation of episodes, what doing nothing and tricks are worth, its own solutions, failures, latency.

    Example: rlar env check gridworld --dataset mazes.jsonl --set size=5
    """

    def run() -> None:
        from rlar.report.table import Listing, number
        from rlar.tool import Resources
        from rlar.trainer.environments import environment_maker, judge_of
        from rlar.trainer.environments.check import check_environment

        config = _config(name, settings)
        with Resources() as resources:
            found = check_environment(
                environment_maker(config, resources),
                _rows(dataset),
                judges=judge_of(config) == "environment",
                max_turns=config.max_turns,
                seconds=config.step_seconds,
            )
        verdicts = {True: "passed", False: "FAILED", None: "-"}
        columns = ("check", "verdict", "value", "threshold", "probes", "note")
        table = [
            (each.name, verdicts[each.passed], number(each.value), number(each.threshold), str(each.probes), each.note)
            for each in found
        ]
        show(Listing([each.model_dump(mode="json") for each in found], columns, table), as_json=json_output)
        if any(each.passed is False for each in found):
            raise typer.Exit(1)

    guard(run)


@env_app.command("play")
def env_play_command(
    name: NameArgument,
    dataset: DatasetOption,
    row: Annotated[int, typer.Option(min=0, help="Which row of the file, from 0.")] = 0,
    settings: SetOption = None,
) -> None:
    """Be the policy: read what it reads, write a turn a line (\\n in it is a line feed), see what each is worth."""

    def run() -> None:
        from rlar.errors import ConfigError
        from rlar.terminal import say
        from rlar.tool import Resources
        from rlar.trainer.environments import environment_maker
        from rlar.trainer.environments.check import Episode

        config, rows = _config(name, settings), _rows(dataset)
        if row >= len(rows):
            raise ConfigError(f"--row {row}: {dataset} has {len(rows)} usable rows")
        with Resources() as resources:
            episode = Episode(environment_maker(config, resources), rows[row], 0)
            for message in episode.prompt:
                say(f"[{message.role}] {message.content}")
            for turn in range(config.max_turns):
                line = sys.stdin.readline()
                if not line:
                    break
                episode.say(line.rstrip("\n").replace("\\n", "\n"))
                messages, reward, done = episode.steps[-1]
                for message in messages:
                    say(f"[{message.role}] {message.content}")
                tell(f"turn {turn + 1}: reward {'-' if reward is None else f'{reward:g}'}{', done' if done else ''}")
                if done:
                    break
            episode.environment.close()

    guard(run)


def _config(name: str, settings: list[str] | None) -> Any:
    """The settings of an environment as typed; values are TOML, or text where they are not."""
    import tomllib

    from pydantic import ValidationError

    from rlar.errors import ConfigError, first_problem
    from rlar.trainer.config import EnvironmentConfig

    values: dict[str, Any] = {"name": name}
    for each in settings or []:
        key, equals, text = each.partition("=")
        if not equals or not key.isidentifier():
            raise ConfigError(f"--set {each}: expected name=value")
        try:
            values[key] = tomllib.loads(f"value = {text}")["value"]
        except (tomllib.TOMLDecodeError, RecursionError):
            values[key] = text
    try:
        return EnvironmentConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"--set {first_problem(error, 'environment', shown=True)}") from error


def _rows(dataset: Path) -> list[Any]:
    from rlar.errors import DatasetError
    from rlar.rows.read import RowStats, usable_rows

    rows = list(usable_rows([str(dataset)], RowStats()))
    if not rows:
        raise DatasetError(f"{dataset}: no usable rows")
    return rows
