"""What a response must be like, gathered from all of its constraints, before anything is written."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rlar.kinds.constraints.read import Constraint

INFINITY = 10**9


@dataclass
class Plan:
    """What the response must be like, gathered from all constraints."""

    words: tuple[int, int] = (0, INFINITY)
    sentences: tuple[int, int] = (0, INFINITY)
    paragraphs: tuple[int, int] = (0, INFINITY)
    separator: str | None = None
    lines: tuple[int, int] | None = None
    bullets: int | None = None
    numbered: int | None = None
    characters: tuple[int, int] = (0, INFINITY)
    letters: tuple[int, int] = (0, INFINITY)
    highlights: int = 0
    bold: bool = False
    placeholders: int = 0
    capital_words: tuple[int, int] = (0, INFINITY)
    hashtags: int = 0
    emojis: int = 0
    links: int = 0
    headings: int = 0
    questions: tuple[int, int] = (0, INFINITY)
    exclamations: tuple[int, int] = (0, INFINITY)
    commas: tuple[int, int] = (0, INFINITY)
    digits: tuple[int, int] = (0, INFINITY)
    sentence_words: tuple[int, int] = (1, 14)
    paragraph_sentences: tuple[int, int] | None = None
    phrases: list[str] = field(default_factory=list)
    banned_words: list[str] = field(default_factory=list)
    """Whole words or phrases that must not occur."""
    banned_parts: list[str] = field(default_factory=list)
    """Strings that filler must not contain (keywords with a limit)."""
    banned_characters: str = ""
    letter_minimum: dict[str, int] = field(default_factory=dict)
    needed_characters: str = ""
    case: str | None = None
    language: str | None = None
    starts: str | None = None
    ends: str | None = None
    quoted: str | None = None
    postscript: str | None = None
    title: bool = False
    section_marker: str | None = None
    sections: int = 0
    paragraph_starts: dict[int, str] = field(default_factory=dict)
    option: str | None = None
    repeat: str | None = None
    repeat_only: bool = False
    structured: str | None = None
    keys: list[str] = field(default_factory=list)
    elements: list[str] = field(default_factory=list)
    banned_elements: list[str] = field(default_factory=list)
    each_starts: str | None = None
    each_ends: str | None = None
    patterns: list[dict[str, Any]] = field(default_factory=list)


def _narrow(have: tuple[int, int], params: dict[str, Any]) -> tuple[int, int]:
    return max(have[0], int(params.get("min", 0))), min(have[1], int(params.get("max", INFINITY)))


def _amount(have: int, params: dict[str, Any]) -> int:
    return max(have, int(params.get("min", 0)))


_RANGES = {
    "word": "words", "sentence": "sentences", "paragraph": "paragraphs", "stanza": "paragraphs", "character": "characters", "letter": "letters",
    "capital_word": "capital_words", "question": "questions", "exclamation": "exclamations", "comma": "commas", "digit": "digits",
}  # fmt: skip
_AMOUNTS = {
    "highlight": "highlights", "placeholder": "placeholders", "hashtag": "hashtags", "emoji": "emojis", "link": "links", "heading": "headings",
}  # fmt: skip


class Impossible(Exception):
    """These constraints are not planned for, or exclude each other."""


def make_plan(constraints: Sequence[Constraint], rng: random.Random) -> Plan:
    """What a response must have to meet all hard constraints; raises `Impossible` where they exclude each other."""
    plan = Plan()
    for constraint in constraints:
        if constraint.strength == "hard":
            _add(plan, constraint.kind, constraint.params, rng)
    for constraint in constraints:
        if constraint.strength == "soft" and constraint.kind != "unsupported":
            _add_loose(plan, constraint)
    return plan


def _add_loose(plan: Plan, constraint: Constraint) -> None:
    """What is loosely asked is met as well where the plan leaves room for it."""
    p = constraint.params
    if constraint.kind == "include":
        plan.phrases += [str(phrase) for phrase in p["phrases"]]
    elif p.get("size") and p.get("each") == "sentence":
        _add_count(plan, p)
    elif p.get("size") and not p.get("each"):
        plan.words = _narrow(plan.words, p)
    elif p.get("listed") and plan.bullets is None and plan.numbered is None and plan.structured is None:
        plan.bullets = int(p.get("min") or p.get("max") or 2)
        plan.elements = [element for element in plan.elements if element != "bullet_list"]
    elif p.get("unit") == "sentence" and not p.get("each") and plan.sentences == (0, INFINITY):
        plan.sentences = _narrow(plan.sentences, p)
    elif constraint.kind == "count" and p.get("unit") == "word" and not p.get("size") and plan.words == (0, INFINITY):
        n = int(p.get("min") or p.get("max") or 0)
        plan.words = (int(n * 0.95), int(n * 1.05) + 1)


def _add(plan: Plan, kind: str, p: dict[str, Any], rng: random.Random) -> None:
    match kind:
        case "count":
            _add_count(plan, p)
        case "letter_count":
            letter = str(p["letter"]).lower()
            if "max" in p and not p.get("min"):
                plan.banned_characters += letter + letter.upper()
            elif "max" in p and letter.isalpha():
                raise Impossible(f"an exact number of {letter}")
            else:
                plan.letter_minimum[letter] = max(plan.letter_minimum.get(letter, 0), int(p["min"]))
        case "keyword_count":
            keyword = str(p["keyword"])
            if "max" in p:
                plan.banned_parts.append(keyword.casefold())
            plan.phrases += [keyword] * int(p.get("min", 0))
        case "include":
            plan.phrases += [str(x) for x in p["phrases"]][: 1 if p.get("any") else None]
        case "exclude":
            plan.banned_words += [str(x) for x in p["phrases"]]
        case "no_characters":
            plan.banned_characters += str(p["characters"])
        case "characters":
            plan.needed_characters += str(p["characters"])[0] * int(p.get("min", 1))
        case "case":
            plan.case = "upper" if p["case"] == "upper_or_title" else str(p["case"])
        case "language":
            if plan.language not in (None, p["code"]):
                raise Impossible("two languages")
            plan.language = str(p["code"])
        case "starts_with":
            plan.starts = str(p["phrases"][0])
        case "ends_with":
            plan.ends = str(p["phrases"][0])
        case "quoted":
            plan.quoted = str(p.get("mark", '"'))
        case "postscript":
            plan.postscript = "P.P.S." if str(p["marker"]).upper().count("P") == 2 else "P.S."
        case "title":
            if int(p.get("min", 1)) > 1:
                raise Impossible("several titles")
            plan.title = True
        case "sections":
            plan.section_marker, plan.sections = str(p["marker"]), int(p.get("min", p.get("max", 2)))
        case "parts":
            plan.separator = str(p["separator"])
            plan.paragraphs = _narrow(plan.paragraphs, p)
        case "paragraph_starts":
            plan.paragraph_starts[int(p["paragraph"])] = str(p["word"])
        case "one_of":
            plan.option = rng.choice([str(o) for o in p["options"]])
        case "repeat":
            plan.repeat, plan.repeat_only = str(p["text"]), bool(p.get("only"))
        case "structured":
            plan.structured = str(p["format"])
            plan.keys += [str(key) for key in p.get("keys") or ()]
        case "contains_format":
            plan.elements.append(str(p["element"]))
        case "no_format":
            plan.banned_elements.append(str(p["element"]))
        case "each":
            if p["unit"] != "sentence":
                raise Impossible(f"each {p['unit']}")
            plan.each_starts, plan.each_ends = p.get("starts", plan.each_starts), p.get("ends", plan.each_ends)
        case "pattern":
            plan.patterns.append(p)
        case _:
            raise Impossible(kind)


def _add_count(plan: Plan, p: dict[str, Any]) -> None:
    unit, each = str(p["unit"]), p.get("each")
    if each is not None:
        if unit == "word" and each == "sentence":
            plan.sentence_words = (
                max(plan.sentence_words[0], int(p.get("min", 1))),
                min(max(14, int(p.get("min", 0)) + 2), int(p.get("max", INFINITY))),
            )
            return
        if unit == "sentence" and each == "paragraph":
            plan.paragraph_sentences = _narrow((1, 4), p)
            return
        raise Impossible(f"{unit} per {each}")
    if unit in _RANGES:
        name = _RANGES[unit]
        setattr(plan, name, _narrow(getattr(plan, name), p))
        if unit in ("paragraph", "stanza") and p.get("separator"):
            plan.separator = str(p["separator"])
    elif unit in _AMOUNTS:
        name = _AMOUNTS[unit]
        setattr(plan, name, _amount(getattr(plan, name), p))
        plan.bold = plan.bold or p.get("style") == "bold"
    elif unit == "line":
        plan.lines = _narrow(plan.lines or (1, INFINITY), p)
    elif unit == "bullet":
        plan.bullets = int(p.get("min", min(2, int(p.get("max", 2)))))
    elif unit == "numbered":
        plan.numbered = int(p.get("min", min(2, int(p.get("max", 2)))))
    elif unit == "section":
        plan.headings = max(plan.headings, int(p.get("min", p.get("max", 2))))
    else:
        raise Impossible(unit)
