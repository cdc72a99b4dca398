"""Part of node `classify`: an LLM reads a few rows of every group that discovery found, and the rows have the last word.

One question a group (about 8 rows), one more to see which wordings are the same task; none a row. What the LLM says
about how answers are judged is taken only where the rows allow it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from rlar.discover.discover import Group, GroupReading
from rlar.discover.fingerprint import fingerprint
from rlar.errors import BudgetSpent, ChatUnreadable
from rlar.kinds import KINDS
from rlar.llm.ledger import Llm
from rlar.tool import named
from rlar.types import AnswerKind, Contract, JsonObject

NODE = "classify"
SHOWN_CHARACTERS = 1_500
"""Of a prompt or a reference: both ends are kept."""
LABEL_WORDS = 8
TEXT_CHARACTERS = 400
MOST_CRITERIA = 8
ROWS_ALLOW = 0.9
"""Share of the rows whose own evidence must allow a correction."""

if TYPE_CHECKING:
    Kind = str
else:
    Kind = Literal[tuple(kind.value for kind in AnswerKind)]


class GroupAnswer(BaseModel):
    """What the LLM is asked for."""

    model_config = ConfigDict(extra="forbid")

    name: str
    description: str
    answer_kind: Kind
    rule: str
    criteria: list[str]


class MergeAnswer(BaseModel):
    """Groups that are one task, by number."""

    model_config = ConfigDict(extra="forbid")

    same: list[list[int]]


class GroupReader:
    """A `rlar.discover.discover.Reader` that asks an LLM. Afterwards `records` says what was asked, said and kept."""

    def __init__(self, llm: Callable[[], Llm], emit: Callable[[dict[str, Any]], None] = lambda event: None) -> None:
        """
        Args:
            llm: gives the LLM when it is first needed: not before all rows proved usable.
        """
        self._llm = llm
        self._emit = emit
        self.records: list[JsonObject] = []
        """One a group: {"fingerprint", "wording", "rows", "said", "kept", "note"}: for the trace."""

    def __call__(self, groups: Sequence[Group]) -> list[GroupReading]:
        """One GroupReading a group. Raises ChatDenied and ChatUnavailable; a spent budget leaves the rest to the rows."""
        answers = []
        for place, group in enumerate(groups):
            self._emit({"event": "reading", "group": place + 1, "groups": len(groups)})
            answers.append(self._ask(group))
        readings = [self._weigh(group, answer, note) for group, (answer, note) in zip(groups, answers, strict=True)]
        return self._merge(groups, readings, [answer for answer, _note in answers])

    def _ask(self, group: Group) -> tuple[GroupAnswer | None, str]:
        rows = [
            {
                "prompt": _shown(example.text),
                "reference": None if example.reference is None else _shown(example.reference),
            }
            for example in group.examples
        ]
        variables = {
            "kind": group.contract.answer_kind.value,
            "has_reference": group.contract.has_reference,
            "wording": group.wording,
            "rows": rows,
        }
        try:
            reply = self._llm().ask("read_group", variables, GroupAnswer, fingerprint="", node=NODE)
        except BudgetSpent as error:
            return None, f"not read: {error}"
        except ChatUnreadable as error:
            return None, f"the LLM's answer cannot be used: {error}"
        return reply.value, ""

    def _weigh(self, group: Group, answer: GroupAnswer | None, note: str) -> GroupReading:
        """What is kept of an answer; the rows win."""
        if answer is None:
            self._record(group, None, group.contract, note)
            return GroupReading(group.contract)
        contract, note = corrected(group, answer)
        self._record(group, answer, contract, note)
        criteria = tuple(_line(each) for each in answer.criteria[:MOST_CRITERIA] if each.strip())
        if KINDS[contract.answer_kind].is_witnessed:
            criteria = (_line(answer.rule), *criteria)
        label = " ".join(_line(answer.name).split()[:LABEL_WORDS])
        return GroupReading(contract, label, _sentence(answer.description), criteria)

    def _merge(
        self, groups: Sequence[Group], readings: list[GroupReading], answers: Sequence[GroupAnswer | None]
    ) -> list[GroupReading]:
        """Readings where wordings of one task share a contract."""
        places = [place for place, reading in enumerate(readings) if reading.contract.wordings]
        if len(places) < 2:
            return readings
        summaries = [
            {"name": readings[place].label, "rule": answer.rule if answer else "", "wording": groups[place].wording}
            for place in places
            for answer in [answers[place]]
        ]
        try:
            reply = self._llm().ask("merge_groups", {"groups": summaries}, MergeAnswer, fingerprint="", node=NODE)
        except (BudgetSpent, ChatUnreadable) as error:
            self.records.append({"note": f"wordings were not compared: {error}"})
            return readings
        same = reply.value.same
        if sorted(number for numbers in same for number in numbers) != list(range(1, len(places) + 1)):
            self.records.append({"note": f"wordings were not merged: {same} does not name each group once"})
            return readings
        for numbers in same:
            joined = [places[number - 1] for number in sorted(numbers)]
            wordings = tuple(sorted(wording for place in joined for wording in readings[place].contract.wordings))
            contract = readings[joined[0]].contract.model_copy(update={"wordings": wordings})
            for place in joined:
                first = readings[joined[0]]
                readings[place] = GroupReading(contract, first.label, first.description, first.criteria)
            if len(joined) > 1:
                self.records.append({"note": f"one task in {len(joined)} wordings: {', '.join(wordings)}"})
        return readings

    def _record(self, group: Group, answer: GroupAnswer | None, kept: Contract, note: str) -> None:
        self.records.append(
            {
                "fingerprint": fingerprint(kept),
                "wording": group.wording,
                "rows": group.rows,
                "inferred": group.contract.answer_kind.value,
                "said": answer.model_dump(mode="json") if answer else None,
                "kept": kept.answer_kind.value,
                "note": note,
            }
        )


def corrected(group: Group, answer: GroupAnswer) -> tuple[Contract, str]:
    """The contract after an LLM's word on it, and what was decided where the two differ."""
    own, kind = group.contract, AnswerKind(answer.answer_kind)
    if group.wording:
        if KINDS[kind].is_witnessed and answer.rule.strip():
            return Contract(answer_kind=kind, has_reference=False, wordings=(group.wording,)), "a task of its own"
        return own, f"stays with the rows judged as {own.answer_kind.value}"
    if kind is own.answer_kind:
        return own, ""
    share = group.fits.get(kind, 0.0)
    candidates = _corrections(kind) if own.has_reference and not own.labels else ()
    if not candidates or kind not in group.fits or share < ROWS_ALLOW:
        return own, (
            f"the LLM reads {kind.value}, {share:.0%} of the rows allow that: the rows win, {own.answer_kind.value}"
        )
    contract = next((each for each in candidates if each.carries == own.carries), candidates[-1])
    return contract, f"corrected from {own.answer_kind.value}: {share:.0%} of the rows allow it"


def _corrections(kind: AnswerKind) -> tuple[Contract, ...]:
    """What an LLM may correct a contract with references to, by the kind that it names; the rows must allow it."""
    return tuple(named(address) for address in KINDS[kind].corrections)


def _shown(text: str) -> str:
    if len(text) <= SHOWN_CHARACTERS:
        return text
    half = SHOWN_CHARACTERS // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[-half:]}"


def _line(text: str) -> str:
    """One printable line of an LLM's words."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:TEXT_CHARACTERS]


def _sentence(text: str) -> str:
    line = _line(text)
    return line if not line or line.endswith((".", "!", "?", "。")) else f"{line}."
