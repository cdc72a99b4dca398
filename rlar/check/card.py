"""The reward card: what a check found, as data, text, Markdown, JUnit and HTML."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from pydantic import Field, ValidationError

from rlar.errors import ConfigError, first_problem
from rlar.report.page import Block, html, shell
from rlar.rows.atomic import write_errors, write_text_atomic
from rlar.terminal import shown
from rlar.types import Frozen

LAYOUT = 1
SHOWN = 5
TEXT_SHOWN = 160
REFERENCE_SHOWN = 30


class Fooled(Frozen):
    """One completion that the function judges wrongly, or differently from the library tool."""

    check: str
    """Where it comes from: a check of the gate, "search" or "agreement"."""
    kind: str
    completion: str
    score: float
    """On [0, 1]."""
    expected: str = ""
    prompt: str = ""
    reference: str | None = None
    library: float | None = None
    """What the library tool says."""


class CheckLine(Frozen):
    """One check of the certificate."""

    name: str
    passed: bool | None
    mandatory: bool
    value: float | None = None
    threshold: float | None = None
    note: str = ""


class TaskCard(Frozen):
    """What was found on the rows of one task."""

    fingerprint: str
    label: str
    rows: int
    role: Literal["verifier", "quality"]
    admitted: bool
    reasons: tuple[str, ...] = ()
    scale: tuple[float, float] = (0.0, 1.0)
    """What it gives for nothing, and for a right answer."""
    ending: str = ""
    """The only form in which it reads an answer, where it reads one alone: completions were tried with it."""
    checks: tuple[CheckLine, ...] = ()
    lets_through: tuple[Fooled, ...] = ()
    """Wrong completions that it rewards, the shortest first."""
    refuses: tuple[Fooled, ...] = ()
    """Right ones that it does not."""
    breaks: tuple[str, ...] = ()
    """How it breaks, one line each."""
    library: str = ""
    """The library tool that it was compared with; "" where none claims the task."""
    agreement: float | None = None
    """Share of the completions on which both give the same verdict (of a quality: order pairs alike)."""
    differs: tuple[Fooled, ...] = ()
    searched: int = 0
    """Calls that the search made."""


class Card(Frozen):
    """What `rlar check` found."""

    layout: int = LAYOUT
    function: str
    """"file.py:function" or a URL."""
    shape: str
    code: str
    """Hash of the file and of how it is called."""
    rlar: str
    seed: int
    rows: int
    unassigned: int = 0
    """Rows that belong to no task: nothing is known there."""
    problem: str = ""
    """Why nothing could be checked."""
    remarks: tuple[str, ...] = ()
    tasks: tuple[TaskCard, ...] = ()
    seconds: float = Field(default=0.0, ge=0)

    @property
    def is_admitted(self) -> bool:
        """Whether it passed on every task that was found, and there was one."""
        return not self.problem and bool(self.tasks) and all(task.admitted for task in self.tasks)

    def failing(self) -> frozenset[tuple[str, str]]:
        """(fingerprint, check) of every mandatory check that does not hold; ("", "problem") where nothing could be checked."""
        if self.problem or not self.tasks:
            return frozenset({("", "problem")})
        return frozenset(
            (task.fingerprint, line.name)
            for task in self.tasks
            for line in task.checks
            if line.mandatory and line.passed is not True
        )

    @classmethod
    def read(cls, path: Path) -> Card:
        """A card that was written before. Raises ConfigError."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
        except ValidationError as error:
            raise ConfigError(f"{path} is not a reward card of this version: {first_problem(error)}") from error


def lines_of(card: Card) -> Iterator[str]:
    """The card for a terminal."""
    yield f"{card.function} ({card.shape}), {card.rows} rows, {len(card.tasks)} task(s)"
    if card.problem:
        yield f"  cannot be checked: {card.problem}"
    for remark in card.remarks:
        yield f"  ! {remark}"
    if card.unassigned:
        yield f"  {card.unassigned} rows belong to no task that was recognised: nothing is known about it there"
    for task in card.tasks:
        yield ""
        yield f"{task.label}: {'PASSED' if task.admitted else 'REJECTED'}  ({task.rows} rows, as a {task.role}; {_scale(task)})"
        for line in task.checks:
            mark = {True: "ok  ", False: "FAIL", None: "-   "}[line.passed]
            yield f"  {mark} {line.name:<15}{_value(line)}{f'  {line.note}' if line.note and line.passed is not True else ''}"
        for title, entries in _lists(task):
            yield f"  {title}:"
            for entry in entries[:SHOWN]:
                yield f"    {entry.score:.2f}  {excerpt(entry.completion)}{_right(entry)}   [{entry.kind}{_beside(entry)}]"
            if len(entries) > SHOWN:
                yield f"    and {len(entries) - SHOWN} more"
        for fault in task.breaks:
            yield f"  ! {fault}"
        if task.agreement is not None:
            yield f"  agrees with {task.library} on {_agreed(task, task.agreement)}"


def markdown(card: Card) -> str:
    """The card as Markdown, to go into a model card or a pull request."""
    out = [f"# Reward card: `{card.function}`", ""]
    out.append(f"**{'Passed' if card.is_admitted else 'Rejected'}** by `rlar check` {card.rlar} on {card.rows} rows "
               f"(shape {card.shape}, code {card.code}, seed {card.seed}).")  # fmt: skip
    out += [f"\nIt cannot be checked: {_cell(card.problem)}"] if card.problem else []
    out += ["", *[f"- {_cell(remark)}" for remark in card.remarks]] if card.remarks else []
    for task in card.tasks:
        out += ["", f"## {_cell(task.label)}: {'passed' if task.admitted else 'rejected'}", ""]
        out += ["| check | verdict | value | limit | note |", "|---|---|---:|---:|---|"]
        for line in task.checks:
            verdict = {True: "ok", False: "**fails**", None: "-"}[line.passed]
            values = " | ".join("" if each is None else f"{each:.3g}" for each in (line.value, line.threshold))
            out.append(f"| {line.name} | {verdict} | {values} | {_cell(line.note)} |")
        for title, entries in _lists(task):
            out += ["", f"{title}:", "", "| score | completion | for | kind |", "|---:|---|---|---|"]
            out += [
                f"| {e.score:.2f} | {_cell(excerpt(e.completion))} | {_cell(excerpt(e.reference or ''))} | {_cell(e.kind + _beside(e))} |"
                for e in entries[:SHOWN]
            ]
        out += ["", *[f"- {_cell(fault)}" for fault in task.breaks]] if task.breaks else []
        if task.agreement is not None:
            out += ["", f"Agrees with `{task.library}` on {_agreed(task, task.agreement)}."]
    return "\n".join(out) + "\n"


def junit(card: Card) -> str:
    """The card as JUnit XML, a test case a check."""
    root = ElementTree.Element("testsuite", name=f"rlar check {card.function}", time=f"{card.seconds:.3f}")
    cases = failures = 0
    if card.problem:
        case = ElementTree.SubElement(root, "testcase", classname=card.function, name="can be called")
        ElementTree.SubElement(case, "failure", message=_printable(card.problem))
        cases, failures = 1, 1
    for task in card.tasks:
        for line in task.checks:
            case = ElementTree.SubElement(root, "testcase", classname=_printable(task.label), name=line.name)
            cases += 1
            if line.passed is None and not line.mandatory:
                ElementTree.SubElement(case, "skipped", message=_printable(line.note))
            elif line.passed is not True and line.mandatory:
                failures += 1
                ElementTree.SubElement(case, "failure", message=_printable(f"{_value(line)} {line.note}".strip()))
    root.set("tests", str(cases))
    root.set("failures", str(failures))
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def page(card: Card) -> str:
    """The card as one HTML file; whatever comes from outside is escaped."""
    blocks = [Block("", [line for line in (card.problem, *card.remarks) if line])]
    for task in card.tasks:
        blocks.append(
            Block(
                f"{task.label}: {'passed' if task.admitted else 'rejected'}",
                [f"{task.rows} rows, as a {task.role}; {_scale(task)}", *task.reasons, *task.breaks],
                ("check", "passed", "value", "limit", "note"),
                [[line.name, line.passed, line.value, line.threshold, line.note] for line in task.checks],
                numeric=("value", "limit"),
            )
        )
        for title, entries in _lists(task):
            rows = [[e.score, e.completion[:2000], e.kind, e.reference, e.library] for e in entries]
            blocks.append(
                Block(
                    title, [], ("score", "completion", "kind", "reference", "library tool"), rows,
                    numeric=("score", "library tool"), texts=("completion",),
                )
            )  # fmt: skip
    head = f"{card.function}: {'passed' if card.is_admitted else 'rejected'}"
    made = f"rlar {card.rlar}, shape {card.shape}, code {card.code}, {card.rows} rows, seed {card.seed}"
    return shell(f"Reward card: {shown(head)}", shown(f'<p class="dim">{escape(made)}</p>\n{html(blocks)}'))


def data(card: Card) -> str:
    """The card as JSON; `Card.read` takes it."""
    return json.dumps(card.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n"


def write_cards(card: Card, folder: Path) -> str:
    """card.json, card.md, card.html and junit.xml in a folder (made if needed); what was written. Raises StorageError."""
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    texts = {"card.json": data(card), "card.md": markdown(card), "card.html": page(card), "junit.xml": junit(card)}
    for name, text in texts.items():
        write_text_atomic(folder / name, text)
    return f"{', '.join(texts)} in {folder}"


def _lists(task: TaskCard) -> list[tuple[str, Sequence[Fooled]]]:
    lists = (
        ("lets through, though it is wrong", task.lets_through),
        ("refuses, though it is right", task.refuses),
        (f"differs from {task.library}", task.differs),
    )
    return [(title, entries) for title, entries in lists if entries]


def _agreed(task: TaskCard, share: float) -> str:
    what = "completions tried" if task.role == "verifier" else "pairs of a row that both tell apart"
    return f"{share:.1%} of the {what}"


def _scale(task: TaskCard) -> str:
    low, high = task.scale
    reads = f"; reads answers only as {task.ending.format('...')!r}, with which all were tried" if task.ending else ""
    return f"gives {low:.4g} for nothing, {high:.4g} for a right answer{reads}"


def _value(line: CheckLine) -> str:
    value = "" if line.value is None else f"{line.value:.3g}"
    return f"{value:>8}" + ("" if line.threshold is None else f"  (limit {line.threshold:.3g})")


def _beside(entry: Fooled) -> str:
    return "" if entry.library is None or entry.check != "agreement" else f"; library {entry.library:.2f}"


def _right(entry: Fooled) -> str:
    """What the row's answer is, where that fits beside it."""
    short = entry.reference is not None and len(entry.reference) <= REFERENCE_SHOWN
    return f"  for {excerpt(entry.reference or '')}" if short else ""


def excerpt(text: str) -> str:
    """A completion in one line; long ones with their length."""
    line = json.dumps(text[:TEXT_SHOWN], ensure_ascii=False)
    return line if len(text) <= TEXT_SHOWN else f"{line} ... ({len(text):,} characters)"


def _cell(text: str) -> str:
    """Text in a cell of a Markdown table: nothing in it is markup."""
    plain = shown(" ".join(text.split()))
    return "".join("\\" + char if char in "\\`*_[]<>|#~!" else char for char in plain)


def _printable(text: str) -> str:
    """What XML can hold."""
    return "".join(char if char >= " " or char in "\t\n" else "?" for char in text if not 0xD800 <= ord(char) < 0xE000)
