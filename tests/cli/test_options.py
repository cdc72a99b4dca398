"""Options that are made from settings models: typed once, in the model."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import typer
from pydantic import BaseModel, ConfigDict, Field
from typer.testing import CliRunner

from rlar.cli import app
from rlar.cli.options import Given, settings_command
from rlar.config import BuildConfig, Option
from rlar.server.settings import ServeSettings
from rlar.trainer.config import TrainConfig
from tests.fakes.commands import run


class EveryKind(BaseModel):
    """One field of every kind that a settings model may offer."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    files: Annotated[tuple[str, ...], Option("-f", typed=Path)]
    """Files."""
    words: Annotated[tuple[str, ...], Option("--word")] = ()
    """Words [in brackets]."""
    counts: Annotated[tuple[int, ...], Option()] = (1, 2)
    """Counts."""
    size: Annotated[int, Option("-s", default="in words")] = Field(default=3, ge=0, le=9)
    """Size.

    Not in the help."""
    share: Annotated[float | None, Option()] = Field(default=None, ge=0)
    """Share."""
    switch: Annotated[bool, Option()] = True
    """Switch."""
    flag: Annotated[bool, Option("--flag")] = False
    """Flag."""
    mode: Annotated[Literal["a", "b"], Option(default="hidden")] = "a"
    """Mode."""
    folder: Annotated[str | None, Option(typed=Path)] = None
    """Folder."""
    inner: int = 7
    """Not offered."""


MODELS: dict[type[BaseModel], tuple[str, ...]] = {
    BuildConfig: ("agent", "build-tools"),
    TrainConfig: ("train",),
    ServeSettings: ("serve",),
}


def offered(model: type[BaseModel]) -> dict[str, Option]:
    return {
        name: mark for name, field in model.model_fields.items() for mark in field.metadata if isinstance(mark, Option)
    }


def listener(model: type[BaseModel], *, shows_ranges: bool = False) -> tuple[typer.Typer, list[Given]]:
    """A command line of one command with the options of the model, and what it was given so far."""
    heard: list[Given] = []
    listening = typer.Typer(add_completion=False)

    @settings_command(listening, "listen", f"{model.__module__}:{model.__name__}", shows_ranges=shows_ranges)
    def listen(given: Given) -> None:
        """Listen."""
        heard.append(given)

    return listening, heard


def parameters(model: type[BaseModel]) -> dict[str, Any]:
    """The option parser's own parameters, by field."""
    command = typer.main.get_command(listener(model)[0])
    return {each.name: each for each in command.get_params(typer.Context(command))}


def as_field(model: type[BaseModel], name: str, value: object) -> object:
    """What the model makes of a value for one of its fields."""
    required = {each: ("x",) for each, field in model.model_fields.items() if field.is_required()}
    return getattr(model.model_validate({**required, name: value}), name)


EVERY = [
    pytest.param(model, name, id=f"{model.__name__}.{name}")
    for model in (*MODELS, EveryKind)
    for name in offered(model)
]


@pytest.mark.parametrize(("model", "name"), EVERY)
def test_default_of_an_option_is_that_of_the_model_and_its_help_the_docstring(model: type[BaseModel], name: str):
    field, parameter = model.model_fields[name], parameters(model)[name]
    if field.is_required() or field.default in (None, ()):
        assert parameter.default is None
    else:
        assert as_field(model, name, parameter.default) == field.default
    assert field.description and parameter.help
    told = parameter.help.replace("\\[", "[")
    assert " ".join(field.description.split()).startswith(re.sub(r"; \S+ unless said\.$", "", told))
    assert not parameter.required


@pytest.mark.parametrize(("model", "name"), EVERY)
def test_default_told_in_words_is_the_one_that_holds(model: type[BaseModel], name: str):
    if told := re.search(r"; (\S+) unless said", parameters(model)[name].help):
        assert as_field(model, name, told[1]) == model.model_fields[name].default
    else:
        assert offered(model)[name].default != "in words"


@pytest.mark.parametrize(("model", "name"), EVERY)
def test_only_what_was_typed_is_given(model: type[BaseModel], name: str):
    """Even where the default itself is typed: it must win over a file."""
    listening, heard = listener(model)
    parameter, kind, mark = parameters(model)[name], str(model.model_fields[name].annotation), offered(model)[name]
    for option in (*parameter.opts, *parameter.secondary_opts):
        if parameter.is_flag:
            words, value = [option], option in parameter.opts
        else:
            text: Any = "some/text" if mark.typed or not re.search("int|float", kind) else 5 if "int" in kind else 0.5
            words, value = [option, str(text)], [text] if parameter.multiple else text
        assert CliRunner().invoke(listening, words, catch_exceptions=False).exit_code == 0
        assert heard.pop() == {name: value}, option


@pytest.mark.parametrize("model", [*MODELS, EveryKind])
def test_nothing_typed_is_nothing_given(model: type[BaseModel]):
    listening, heard = listener(model)
    assert CliRunner().invoke(listening, [], catch_exceptions=False).exit_code == 0
    assert heard == [{}]


@pytest.mark.parametrize("model", MODELS)
def test_commands_offer_what_their_model_marks(model: type[BaseModel]):
    command: Any = typer.main.get_command(app)
    for word in MODELS[model]:
        command = command.commands[word]
    mine = {each.name: each for each in command.get_params(typer.Context(command))}
    for name, parameter in parameters(model).items():
        assert mine[name].opts == parameter.opts and mine[name].help == parameter.help


def test_help_shows_the_first_paragraph_as_plain_text_and_ranges_where_the_parser_checks_them():
    def page(**options: bool) -> str:
        return CliRunner().invoke(listener(EveryKind, **options)[0], ["--help"], env={"COLUMNS": "300"}).stdout

    assert "Words [in brackets]." in page() and "Size; 3 unless said." in page() and "Not in the help" not in page()
    assert "--inner" not in page() and "[0<=x<=9]" not in page() and "[0<=x<=9]" in page(shows_ranges=True)
    assert "--switch" in page() and "--no-switch" in page() and "--no-flag" not in page()


def test_number_out_of_range_is_refused_by_whoever_is_told_to():
    loose, heard = listener(EveryKind)
    assert CliRunner().invoke(loose, ["--size", "10"]).exit_code == 0 and heard == [{"size": 10}]
    strict, heard = listener(EveryKind, shows_ranges=True)
    assert CliRunner().invoke(strict, ["--size", "10"]).exit_code == 2 and heard == []


# ------------------------------------------------------------------------------------------ files of settings

IN_FILE: dict[str, object] = {
    "dataset": ["file.jsonl"], "registry": "file.db", "report": "of-file", "llm": "openai:file", "hub": True, "web": True,
    "llm_price": [1.0, 2.0], "max_llm_calls": 7, "max_llm_tokens": 8, "max_cost": 9.0, "max_download": 10, "approve": "auto",
    "labelled": "file-pairs.jsonl", "max_repairs": 1, "prompt_column": "p", "reference_column": "r", "sample_size": 60,
    "max_bad_fraction": 0.5, "seed": 4, "policy": "file.toml", "parallel_tasks": 5, "retest": True, "sandbox_tier": "ll",
    "accept_unsafe": True, "answer_format": "suggest",
}  # fmt: skip
TYPED: dict[str, tuple[list[str], object]] = {
    "dataset": (["-d", "typed.jsonl"], ("typed.jsonl",)),
    "registry": (["-r", "registry.db"], "registry.db"),
    "report": (["--report", ""], None),
    "llm": (["--llm", "none"], "none"),
    "hub": (["--no-hub"], False),
    "web": (["--no-web"], False),
    "llm_price": (["--llm-price", "0.4,1.6"], (0.4, 1.6)),
    "max_download": (["--max-download", "20GB"], 20_000_000_000),
    "approve": (["--approve", "never"], "never"),
    "max_repairs": (["--max-repairs", "3"], 3),
    "sandbox_tier": (["--sandbox-tier", "auto"], "auto"),
}


class Stopped(Exception):
    """Raised instead of building."""


@pytest.fixture
def built_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The settings that `rlar agent build-tools --config FILE` with further options would build with."""
    settings: list[BuildConfig] = []

    def build_tools(config: BuildConfig, **_options: object) -> None:
        settings.append(config)
        raise Stopped

    monkeypatch.setattr("rlar.agent.build.build_tools", build_tools)

    def settings_of(values: dict[str, object], *options: str) -> BuildConfig:
        lines = [
            f"{name} = {str(value).lower() if isinstance(value, bool) else repr(value)}"
            for name, value in values.items()
        ]
        (tmp_path / "build.toml").write_text("\n".join(lines))
        with pytest.raises(Stopped):
            run("agent", "build-tools", "--config", tmp_path / "build.toml", *options)
        return settings.pop()

    return settings_of


def test_file_holds_where_nothing_was_typed(built_with):
    assert set(IN_FILE) == set(offered(BuildConfig))
    assert built_with(IN_FILE) == BuildConfig.model_validate(IN_FILE)


@pytest.mark.parametrize("name", TYPED)
def test_what_was_typed_wins_over_the_file_even_if_it_is_the_default(built_with, name: str):
    options, value = TYPED[name]
    assert getattr(built_with(IN_FILE, *options), name) == value


def test_file_may_say_sizes_and_prices_as_options_do(built_with):
    settings = built_with({"dataset": ["a.jsonl"], "max_download": "500MB", "llm_price": "0.4,1.6", "report": ""})
    assert (settings.max_download, settings.llm_price, settings.report) == (500_000_000, (0.4, 1.6), None)


def test_models_are_not_imported_for_a_page_that_does_not_show_them():
    code = (
        "import sys; from typer.testing import CliRunner; from rlar.cli import app;"
        "done = CliRunner().invoke(app, sys.argv[1:]);"
        "print(done.exit_code, 'rlar.config' in sys.modules)"
    )
    for words, imported in ((["--help"], False), (["agent", "--help"], False), (["serve", "--help"], True)):
        found = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
        assert found.stdout.split() == ["0", str(imported)], words
