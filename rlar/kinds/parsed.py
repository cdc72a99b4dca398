"""One row and what the parsers find in it, each parser asked at most once.

`describe` (which task is it?) and `bind` (what does it ask for?) need the same readings; whoever does both for a row
hands one `Parsed` to both. Nothing is kept beyond the object.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from rlar.kinds.carries import find_json_schema, find_options, find_passage
from rlar.kinds.translation.rows import Translation, find_translation
from rlar.types import Example, JsonObject

if TYPE_CHECKING:
    from rlar.kinds.constraints.read import Constraint
    from rlar.kinds.programs.rows import TestSuite
    from rlar.kinds.sql.rows import SqlTask


class Parsed:
    """Readings of one row, made when first asked for."""

    def __init__(self, example: Example) -> None:
        self.example = example

    @cached_property
    def asked(self) -> str:
        """What the user asks: the last user turn of a chat, the whole prompt otherwise."""
        return asked_text(self.example)

    @cached_property
    def suite(self) -> TestSuite | None:
        from rlar.kinds.programs.rows import find_suite

        return find_suite(self.example)

    @cached_property
    def sql(self) -> SqlTask | None:
        from rlar.kinds.sql.rows import find_sql

        return find_sql(self.example)

    @cached_property
    def constraints(self) -> tuple[Constraint, ...]:
        from rlar.kinds.constraints.read import parse_constraints

        return parse_constraints(self.example.text)

    @cached_property
    def options(self) -> dict[str, str]:
        return find_options(self.example)

    @cached_property
    def translation(self) -> Translation | None:
        return find_translation(self.asked, self.example.reference)

    @cached_property
    def schema(self) -> JsonObject | None:
        return find_json_schema(self.example)

    @cached_property
    def passage(self) -> str | None:
        """The text to be read that stands anywhere in the prompt."""
        return find_passage(self.example.text)

    @cached_property
    def asked_passage(self) -> str | None:
        """The text to be read that stands in what the user asks."""
        return self.passage if self.asked == self.example.text else find_passage(self.asked)


def asked_text(example: Example) -> str:
    """What the user asks: the last user turn of a chat, the whole prompt otherwise."""
    for message in reversed(example.prompt):
        if message.role == "user":
            return message.content
    return example.text
