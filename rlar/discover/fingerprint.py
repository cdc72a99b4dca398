"""Contract -> fingerprint, and the words that people read for it.

A fingerprint is a hash of the contract alone, so the same task in another file, order or process has the same one.
"""

from __future__ import annotations

from typing import Any

from rlar.text.language_names import ENGLISH_NAME
from rlar.types import AnswerKind, Contract, canonical_json, digest

FINGERPRINT_VERSION = 1
"""Raised when a contract's meaning changes; fingerprints of different versions never compare equal."""


def fingerprint(contract: Contract) -> str:
    """ "f1-" and 12 hex digits of the contract's canonical JSON; the order of labels and carries does not matter."""
    body: dict[str, Any] = {
        "answer_kind": contract.answer_kind.value,
        "has_reference": contract.has_reference,
        "target_language": contract.target_language,
        "labels": sorted(set(contract.labels)),
        "carries": sorted(set(contract.carries)),
    }
    if contract.wordings:
        body["wordings"] = sorted(set(contract.wordings))
    return f"f{FINGERPRINT_VERSION}-{digest('contract', canonical_json(body), size=12)}"


_NAMES: dict[AnswerKind, str] = {
    AnswerKind.NUMBER: "number answer",
    AnswerKind.MATH: "math answer",
    AnswerKind.CHOICE: "multiple choice",
    AnswerKind.SHORT_TEXT: "short answer",
    AnswerKind.LONG_TEXT: "long text",
    AnswerKind.TRANSLATION: "translation",
    AnswerKind.SUMMARY: "summary",
    AnswerKind.CODE_TESTS: "code with tests",
    AnswerKind.CODE_STDIO: "program with input/output pairs",
    AnswerKind.CODE_REFERENCE: "code with a reference program",
    AnswerKind.SQL: "SQL query",
    AnswerKind.JSON: "JSON answer",
    AnswerKind.CONSTRAINTS: "instructions that code can check",
    AnswerKind.OPEN_ENDED: "open-ended",
    AnswerKind.RULE: "answers under a stated rule",
}


def task_label(contract: Contract) -> str:
    """A short name for people, e.g. "translation to French"; two contracts may share one."""
    name = _NAMES[contract.answer_kind]
    if contract.answer_kind is AnswerKind.TRANSLATION and contract.target_language:
        name = f"translation to {ENGLISH_NAME.get(contract.target_language, contract.target_language)}"
    elif contract.answer_kind is AnswerKind.CHOICE and contract.labels:
        shown = ", ".join(contract.labels[:4]) + (", ..." if len(contract.labels) > 4 else "")
        name = f"label ({shown})"
    elif contract.answer_kind is AnswerKind.SHORT_TEXT and "passage" in contract.carries:
        name = "short answer about a passage"
    elif contract.answer_kind is AnswerKind.LONG_TEXT and "source" in contract.carries:
        name = "rewriting of a given text"
    elif contract.answer_kind is AnswerKind.JSON and "schema" in contract.carries:
        name = "JSON answer with a schema"
    elif contract.answer_kind is AnswerKind.SQL and "schema" not in contract.carries:
        name = "SQL query without a schema"
    needs_one = contract.answer_kind not in (
        AnswerKind.CONSTRAINTS,
        AnswerKind.OPEN_ENDED,
        AnswerKind.CODE_TESTS,
        AnswerKind.CODE_STDIO,
        AnswerKind.RULE,
    )
    return f"{name}, no reference" if needs_one and not contract.has_reference else name


_EVIDENCE: dict[AnswerKind, str] = {
    AnswerKind.NUMBER: "the references are numbers",
    AnswerKind.MATH: "the references are mathematical expressions, or numbers asked for in LaTeX",
    AnswerKind.CHOICE: "the references name one of the listed options",
    AnswerKind.SHORT_TEXT: "the references are a few words and no closed set of labels",
    AnswerKind.LONG_TEXT: "the references are running text in the prompt's language",
    AnswerKind.TRANSLATION: "the references say in another language what the prompt gives",
    AnswerKind.SUMMARY: "the references shorten a text that the prompt gives",
    AnswerKind.CODE_TESTS: "the rows carry asserts or a check function",
    AnswerKind.CODE_STDIO: "the rows carry pairs of standard input and expected output",
    AnswerKind.CODE_REFERENCE: "the references are programs and the rows carry no tests",
    AnswerKind.SQL: "the references parse as SQL queries",
    AnswerKind.JSON: "the references are JSON documents",
    AnswerKind.CONSTRAINTS: "no reference; the prompts state constraints that code can check",
    AnswerKind.OPEN_ENDED: "no reference and nothing in the prompts that code could check",
    AnswerKind.RULE: "no reference; all prompts share one wording, which states a rule that a program can check",
}


def task_description(contract: Contract) -> str:
    """One sentence: what was inferred, and from what evidence."""
    kind = contract.answer_kind
    evidence = _EVIDENCE[kind]
    if kind is AnswerKind.CHOICE and contract.labels:
        evidence = f"the references are the closed set {', '.join(contract.labels[:8])}" + (
            " ..." if len(contract.labels) > 8 else ""
        )
    parts = [f"Judged as {kind.value.replace('_', ' ')}: {evidence}"]
    if contract.carries:
        parts.append(f"rows carry {', '.join(contract.carries)}")
    return "; ".join(parts) + "."
