"""Options of a command made from the settings model that they fill in, so that a setting is typed once: in the model."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

import typer
from rich.markup import escape
from typer.core import TyperCommand

from rlar.cli.app import guard

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

    from rlar.config import Option

Given = dict[str, Any]
"""Values that were typed, by field of a settings model. A field that is left out takes a file's value, or its default."""


def settings_command(
    app: typer.Typer, name: str, model: str, *, shows_ranges: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as a command with the options of a settings model, and those of its own parameters.

    The function's first argument is what was Given; its errors are printed as `guard` does. The model is imported when
    the command runs or its help is asked for, so that the pages above stay quick.

    Args:
        model: "module:class".
        shows_ranges: the option parser refuses numbers out of a field's range; else the model does, which can name a file.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        class SettingsCommand(TyperCommand):
            is_complete = False

            def get_params(self, ctx: Any) -> list[Any]:
                if not self.is_complete:
                    module, class_name = model.split(":")
                    fields = options_of(getattr(importlib.import_module(module), class_name), shows_ranges=shows_ranges)
                    made = _complete(function, fields)
                    self.params, self.callback, self.is_complete = made.params, made.callback, True
                return super().get_params(ctx)

        def placeholder() -> None: ...

        placeholder.__doc__ = escape(function.__doc__ or "")
        app.command(name, cls=SettingsCommand)(placeholder)
        return function

    return register


def _complete(function: Callable[..., None], fields: list[inspect.Parameter]) -> Any:
    """The click command of a function whose first parameter stands for all these."""

    def call(context: typer.Context, **values: Any) -> None:
        given = {}
        for field in fields:
            value, source = values.pop(field.name), context.get_parameter_source(field.name)
            if source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP"):
                given[field.name] = _plain(value)
        guard(lambda: function(given, **values))

    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    every = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (context, *fields, *own)]
    call.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    single = typer.Typer(add_completion=False)
    single.command()(call)
    return typer.main.get_command(single)


def _plain(value: Any) -> Any:
    """What a settings model takes for a typed value: text for a path."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def options_of(model: type[BaseModel], *, shows_ranges: bool = False) -> list[inspect.Parameter]:
    """A typer parameter for every field of the model that carries a rlar.config.Option."""
    from rlar.config import Option

    options = []
    for name, field in model.model_fields.items():
        for mark in field.metadata:
            if isinstance(mark, Option):
                options.append(_parameter(name, field, mark, shows_ranges=shows_ranges))
    return options


def _parameter(name: str, field: FieldInfo, mark: Option, *, shows_ranges: bool) -> inspect.Parameter:
    default, typed = _default(field), _typed(field, mark)
    names = mark.names
    if not any(each.startswith("--") for each in names):
        long = "--" + name.replace("_", "-")
        names = (f"{long}/--no-{long[2:]}" if typed is bool else long, *names)
    paragraph = " ".join((field.description or "").split("\n\n")[0].split())
    if mark.default == "in words":
        paragraph = f"{paragraph.removesuffix('.')}; {default} unless said."
    limits = {
        short: getattr(each, long)
        for each in (field.metadata if shows_ranges else ())
        for long, short in (("ge", "min"), ("le", "max"))
        if hasattr(each, long)
    }
    option = typer.Option(*names, help=escape(paragraph), show_default=mark.default == "shown", **limits)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[typed | None if default is None else typed, option],
    )


def _default(field: FieldInfo) -> Any:
    """The field's default as typer takes it; None for a required field, which a file may fill in, and for no files at all."""
    value = None if field.is_required() else field.get_default(call_default_factory=True)
    return (list(value) or None) if isinstance(value, tuple) else value


def _typed(field: FieldInfo, mark: Option) -> Any:
    """The type that is asked for: the field's own where it is a plain one, else text that the model's validators read."""
    kind = field.annotation
    if get_origin(kind) in (Union, UnionType):
        kind = next(each for each in get_args(kind) if each is not NoneType)
    is_list = get_origin(kind) is tuple and get_args(kind)[1:] == (...,)
    if is_list:
        kind = get_args(kind)[0]
    typed: Any = mark.typed or (kind if kind in (bool, int, float) else str)
    return list[typed] if is_list else typed
