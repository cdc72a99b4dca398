"""One row and what the parsers find in it, each parser asked at most once.

`describe` (which task is it?) and `bind` (what does it ask for?) need the same readings; whoever does both for a row
hands one `Parsed` to both. Nothing is kept beyond the object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from rlar.kinds.carries import find_json_schema, find_options, find_passage
from rlar.kinds.translation.rows import Translation, find_translation
from rlar.types import Example, JsonObject

if TYPE_CHECKING:
    from rlar.kinds.constraints.read import Constraint
    from rlar.kinds.programs.rows import TestSuite
    from rlar.kinds.sql.rows import SqlTask


_T = TypeVar("_T")


class _Reading(Generic[_T]):
    """An attribute that is computed when first read: functools.cached_property as of Python 3.12, without its lock."""

    def __init__(self, read: Callable[[Parsed], _T]) -> None:
        self._read = read
        self.__doc__ = read.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, row: Parsed, owner: type) -> _T:
        value = row.__dict__[self._name] = self._read(row)
        return value


class Parsed:
    """Readings of one row, made when first asked for."""

    def __init__(self, example: Example) -> None:
        self.example = example

    @_Reading
    def asked(self) -> str:
        """What the user asks: the last user turn of a chat, the whole prompt otherwise."""
        return asked_text(self.example)

    @_Reading
    def suite(self) -> TestSuite | None:
        """The tests of a program; None where the row has none that could be run."""
        from rlar.kinds.programs.rows import find_suite

        return find_suite(self.example)

    @_Reading
    def program(self) -> str | None:
        """The language that the reference is a program in; None where it is none."""
        from rlar.kinds.programs.rows import find_foreign_reference, find_reference_program

        if find_reference_program(self.example) is not None:
            return "python"
        foreign = find_foreign_reference(self.example)
        return None if foreign is None else foreign[0]

    @_Reading
    def sql(self) -> SqlTask | None:
        """The query to be written and the tables it reads; None where the reference is no query, or no tables are described."""
        from rlar.kinds.sql.rows import find_sql

        return find_sql(self.example)

    @_Reading
    def constraints(self) -> tuple[Constraint, ...]:
        """The demands of the prompt on its answer's form, in order."""
        from rlar.kinds.constraints.read import parse_constraints

        return parse_constraints(self.example.text)

    @_Reading
    def options(self) -> dict[str, str]:
        """Option letter (or number) -> its text; empty where none are listed."""
        return find_options(self.example)

    @_Reading
    def translation(self) -> Translation | None:
        """The text to be translated and the languages; None where no translation is asked for."""
        return find_translation(self.asked, self.example.reference)

    @_Reading
    def schema(self) -> JsonObject | None:
        """The JSON Schema of the row or its prompt; None where there is none."""
        return find_json_schema(self.example)

    @_Reading
    def passage(self) -> str | None:
        """The text to be read that stands anywhere in the prompt."""
        return find_passage(self.example.text)

    @_Reading
    def asked_passage(self) -> str | None:
        """The text to be read that stands in what the user asks."""
        return self.passage if self.asked == self.example.text else find_passage(self.asked)


def asked_text(example: Example) -> str:
    """What the user asks: the last user turn of a chat, the whole prompt otherwise."""
    for message in reversed(example.prompt):
        if message.role == "user":
            return message.content
    return example.text
