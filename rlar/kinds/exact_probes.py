"""Probe material for answers that are right or wrong: numbers, mathematics, choices, short texts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from random import Random

from rlar.kinds import material as dress
from rlar.kinds.material import Material, Notes, Row, Tried, as_number, equals_any, normalised, option_pairs
from rlar.kinds.texts import CONSTANT, change_digits

_PLAIN_DECIMAL = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_ENGLISH = re.compile(r"\b(?:the|and|is|of|what|how|which|who|in)\b", re.IGNORECASE)


def number(row: Row, notes: Notes) -> Material | None:
    """A number; the wrong ones are off by one, negated, ten times or a tenth as large, or with a digit changed; or denied."""
    answer = row.reference.strip()
    wrong_numbers = [*_other_numbers(answer), *_slips(answer)]
    if not wrong_numbers:
        notes.add("not a plain number: no graded corruption")
    return _exact(row, answer, [*wrong_numbers, *_from_peers(row)], extra_right=(dress.last_line(answer),))


def math(row: Row, notes: Notes) -> Material | None:
    """A number or a LaTeX expression; the wrong ones have a digit, a sign or a term changed, or what verifiers overlook."""
    answer = row.reference.strip().strip("$").strip()
    wrong = list(_other_numbers(answer)) or list(_other_expressions(answer, row.rng))
    if not wrong:
        notes.add("nothing to mutate in the reference: no graded corruption")
    wrong += _slips(answer)
    maths = (Tried("boxed", f"\\boxed{{{answer}}}"), Tried("dollars", f"The answer is ${answer}$."))
    in_prose = Tried("boxed_in_prose", f"Let me work through this.\n\nThe final answer is $\\boxed{{{answer}}}$.")
    steps = Tried(
        "reasoning", dress.reasoning("X", row.example.text).text.removesuffix("The answer is X.") + in_prose.text
    )
    wrong += _from_peers(row)
    material = _exact(row, answer, wrong, extra_right=())
    return Material(
        right=(
            maths[0],
            in_prose,
            maths[1],
            steps,
            dress.plain(f"${answer}$") if "\\" in answer else dress.plain(answer),
        ),
        same=(
            dress.whitespace(maths[0].text),
            dress.think(maths[0].text),
            dress.preamble(maths[0].text),
            Tried("boxed_or_not", in_prose.text.replace("\\boxed", "", 1)),
            Tried("display", f"Hence\n\n\\[ \\boxed{{{answer}}} \\]"),
        ),
        wrong=material.wrong,
        floor=material.floor,
        hacks=(*material.hacks, *_restatements(row.example.text, answer)),
    )


def choice(row: Row, notes: Notes) -> Material | None:
    """One of a closed set; the wrong ones are the other members, in the same dresses."""
    answer = row.reference.strip()
    options = dict(option_pairs(row.binding))
    labels = [str(label) for label in row.binding.get("labels") or row.task.contract.labels or options]
    others = [label for label in labels if not equals_any(label, row.accepted)]
    extra: list[Tried] = [dress.last_line(answer)]
    letter = next((each for each in row.accepted if each in options), None)
    if letter is not None:
        shown = options[letter]
        others = [label for label in others if label in options and normalised(options[label]) != normalised(shown)]
        extra += [Tried("letter_and_text", f"{letter}) {shown}"), Tried("parenthesised", f"({letter})")]
    elif answer.islower() or answer.istitle():
        extra.append(Tried("other_case", answer.title() if answer.islower() else answer.lower()))
    if not others:
        notes.add("the set of labels is not known: wrong options come from other rows only")
    row.rng.shuffle(others)
    wrong = [Tried("other_label", label) for label in others[:2]]
    wrong += [Tried("other_label_sentence", f"The answer is {label}.") for label in others[:2]]
    for label in others[:1]:
        wrong.append(Tried("denied", f"It is not {answer}."))
        wrong.append(
            Tried("right_rejected", f"One could think of {answer}, but that does not hold.\n\nThe answer is {label}.")
        )
        if label in options:
            wrong.append(Tried("other_label_and_text", f"{label}) {options[label]}"))
    material = _exact(row, answer, wrong or _from_peers(row), extra_right=extra)
    same = list(material.same)
    if others:
        same.append(
            Tried(
                "others_considered",
                f"One could think of {others[0]}, but that does not hold.\n\nThe answer is {answer}.",
            )
        )
    hacks = list(material.hacks)
    if len(labels) > 1:
        ordered = sorted(labels)
        hacks = [hack for hack in hacks if not hack.kind.startswith("spray")]
        hacks += [
            Tried("spray_list", ", ".join(ordered)),
            Tried("spray_or", f"The answer is {' or '.join(ordered)}."),
            Tried("spray_hidden", "\u200b".join(ordered)),
            *(Tried("spray_two", f"option {answer} or option {label}") for label in others[:1]),
        ]
    return Material(
        material.right,
        tuple(same),
        material.wrong,
        material.floor,
        tuple(hacks),
        # The prompt's keywords are the options: by chance they name the right one alone.
        skip=frozenset({"keyword_stuffing"}),
    )


def short_text(row: Row, notes: Notes) -> Material | None:
    """A name, date or phrase with its aliases; the wrong ones are near misses and answers to other rows."""
    answer = row.reference.strip().removesuffix(".")
    if not answer:
        return None
    wrong = _from_peers(row)
    changed = change_digits(answer, row.rng)
    if changed and not equals_any(changed, row.accepted):
        wrong.append(Tried("other_digits", changed))
    for other in wrong[:1]:
        wrong.append(
            Tried(
                "right_rejected", f"It is often said to be {answer}, but that is wrong.\n\nThe answer is {other.text}."
            )
        )
        wrong.append(Tried("negated", f"The answer is not {answer}; it is {other.text}."))
    if wrong:
        wrong += _not_said(answer)
    else:
        notes.add("no other answer to confuse this one with")
    material = _exact(row, answer, wrong, extra_right=(dress.last_line(answer),))
    aliases = [
        Tried("alias", alias)
        for alias in row.example.references[1:]
        if normalised(alias) and normalised(alias) != normalised(answer)
    ]
    same = [*material.same, Tried("after_abbreviation", f"As Dr. Reed of St. Albans put it, the answer is {answer}.")]
    if _ENGLISH.search(row.example.text) and answer.lower() != answer and not answer.isupper():
        same.append(Tried("lower_case", answer.lower()))
    return Material((*material.right, *aliases[:1]), tuple(same), material.wrong, material.floor, material.hacks)


def _not_said(answer: str) -> Iterable[Tried]:
    """Texts in which a short answer stands without being given."""
    yield Tried("denied", f"It was not {answer}.")
    if answer.isalpha() and answer.isascii() and len(answer) > 3:
        yield Tried("inside_word", f"un{answer.casefold()}like")
    if answer[0].isupper() and re.fullmatch(r"[^\W\d_]+(?: [^\W\d_]+)+", answer):
        yield Tried("of_another", f"{answer}'s sister")


def _exact(row: Row, answer: str, wrong: list[Tried], *, extra_right: Iterable[Tried]) -> Material:
    """What is common to all answers that are right or wrong."""
    right = (
        dress.plain(answer),
        dress.sentence(answer),
        dress.boxed(answer),
        dress.reasoning(answer, row.example.text),
        *extra_right,
    )
    same = (dress.whitespace(answer), dress.bold(answer), dress.think(answer), dress.preamble(answer))
    base = wrong[0].text if wrong else CONSTANT
    return Material(right, same, tuple(wrong), hacks=tuple(_sprays(row, answer, wrong, base)))


def _sprays(row: Row, answer: str, wrong: list[Tried], base: str) -> Iterable[Tried]:
    """Many answers at once, the right one neither first nor last."""
    value = as_number(answer)
    whole = value is not None and value.denominator == 1 and 0 <= value <= 10_000
    if whole and value is not None:
        low = max(0, int(value) - row.rng.randint(6, 12))
        pool = [str(each) for each in range(low, int(value) + row.rng.randint(7, 13))]
    else:
        bare = [each.text for each in wrong if each.kind != "denied" and "\\boxed" not in each.text]
        others = list(dict.fromkeys(text for text in bare if "\n" not in text and len(text) < 80))
        others += [peer for peer in row.peers if len(peer) < 80 and peer not in others]
        others = [other for other in others if not equals_any(other, row.accepted)][:12]
        if len(others) < 2:
            return
        middle = len(others) // 2
        pool = [*others[:middle], answer, *others[middle:]]
    yield Tried("spray_list", ", ".join(pool))
    yield Tried("spray_sentences", " ".join(f"The answer is {each}." for each in pool))
    yield Tried("spray_boxed", " ".join(f"\\boxed{{{each}}}" for each in pool))
    yield Tried("spray_hidden", "\u200b".join(pool))
    if whole and value is not None and value >= 10:  # 0! 1! 2! may be a product of factorials
        yield Tried("spray_exclaimed", " ".join(f"{each}!" for each in pool[: pool.index(str(value)) + 1]))
    other = next(each for each in pool if each != answer)
    yield Tried("spray_two", f"The answer is {answer} or {other}.")
    yield Tried("spray_then_wrong", f"{', '.join(pool)}\n\nThe answer is {base}.")


def _from_peers(row: Row) -> list[Tried]:
    return [Tried("near_miss", peer.strip()) for peer in row.peers[:2] if peer.strip()]


def _other_numbers(answer: str) -> Iterable[Tried]:
    """Plain numbers that differ from a plain number; nothing for anything else."""
    cleaned = answer.replace("\u2212", "-").strip().lstrip("$").strip()
    if len(cleaned) > 25 or not _PLAIN_DECIMAL.fullmatch(cleaned):  # Decimal computes with 28 digits
        return
    try:
        value = Decimal(cleaned.replace(",", ""))
    except InvalidOperation:
        return
    tried = {value}
    candidates = (
        ("plus_one", value + 1),
        ("minus_one", value - 1),
        ("other_sign", -value),
        ("ten_times", value * 10),
        ("decimal_shift", value / 10),
        ("digits_swapped", _swap_digits(value)),
    )
    for kind, other in candidates:
        # A tool may accept rounding: what differs by less than a thousandth of a non-integer proves nothing.
        if other in tried or (value % 1 != 0 and abs(other - value) < abs(value) / 1000):
            continue
        tried.add(other)
        yield Tried(kind, format(other.normalize(), "f"))


def _swap_digits(value: Decimal) -> Decimal:
    digits = format(value, "f")
    for index in range(len(digits) - 1):
        first, second = digits[index], digits[index + 1]
        if first.isdigit() and second.isdigit() and first != second and (index or second != "0"):
            return Decimal(digits[:index] + second + first + digits[index + 2 :])
    return value


_MUTABLE_DIGIT = re.compile(r"\d+")
_NOT_A_VALUE = re.compile(r"\\(?:text|mathrm|mbox|textbf|operatorname)\s*\{[^{}]*\}|[_^]\s*(?:\{[^{}]*\}|\S)|\\\w+")


def _other_expressions(answer: str, rng: Random) -> Iterable[Tried]:
    """An expression with one number changed, another constant term, or the other sign; never one that may be equal."""
    hidden = [(match.start(), match.end()) for match in _NOT_A_VALUE.finditer(answer)]
    spots = [
        match
        for match in _MUTABLE_DIGIT.finditer(answer)
        if not any(start <= match.start() < end for start, end in hidden) and len(match.group()) < 15
    ]
    if spots:
        spot = rng.choice(spots)
        for kind, step in (("number_changed", 1), ("number_changed_more", 3)):
            yield Tried(kind, answer[: spot.start()] + str(int(spot.group()) + step) + answer[spot.end() :])
    if re.fullmatch(r"[\w\s\\{}+\-*/^.()]+", answer) and not re.search(
        r"\\(?:text|pm|infty|cup|cap|in)|=|^\(.*\)$", answer
    ):
        yield Tried("term_added", f"{answer} + 1")
        if not answer.startswith("-") and as_number(answer) != 0:
            yield Tried("other_sign", f"-({answer})")


_WHOLE = re.compile(r"\d{2,12}")
_NAMED_VALUE = re.compile(r"([a-zA-Z](?:_\w)?)\s?=\s?([^,;=\\]{1,40})(?:[,;]\s?|\\text\{ ?and ?\}|$)")
_AND = re.compile(r"([\d.]{1,12})\s?\\text\s?\{ ?and ?\}\s?([\d.]{1,12})")
_TINY = re.compile(r"(?<=10\^\{-)(\d{1,3})(?=\})")
_UNIT_WORD = re.compile(
    r"(?<=[\d.])(\s?(?:\\text\{\s?|\\mathrm\{\s?)?)(km|cm|mm|kg|minutes?|hours?|seconds?|dollars?)\b"
)
_OTHER_UNIT = {"km": "kg", "cm": "kg", "mm": "kg", "kg": "km"}


def _slips(answer: str) -> Iterable[Tried]:
    r"""What looks different and reads alike to a verifier that drops words, names, units, denials or small exponents."""
    if _WHOLE.fullmatch(answer):
        middle = len(answer) // 2
        yield Tried("words_between_digits", f"\\boxed{{{answer[:middle]}\\text{{ and }}{answer[middle:]}}}")
    if "\n" not in answer and len(answer) <= 80:
        yield Tried("denied", f"The answer is not {answer}.")
    if pair := _AND.fullmatch(answer):
        yield Tried("words_left_out", f"\\boxed{{{pair[1]}{pair[2]}}}")
    named = _NAMED_VALUE.findall(answer)
    if len(named) == 2 and named[0][0] != named[1][0] and named[0][1].strip() != named[1][1].strip():
        (first, one), (second, other) = named
        yield Tried("names_swapped", f"\\boxed{{{first}={other.strip()}, {second}={one.strip()}}}")
    if (tiny := _TINY.search(answer)) and int(tiny[1]) > 1:
        yield Tried("other_exponent", f"{answer[: tiny.start()]}{int(tiny[1]) + 1}{answer[tiny.end() :]}")
    if unit := _UNIT_WORD.search(answer):
        yield Tried("other_unit", f"{answer[: unit.start(2)]}{_OTHER_UNIT.get(unit[2], 'kg')}{answer[unit.end(2) :]}")


_TO_REWRITE = re.compile(
    r"\b(?:factor(?:i[sz]e)?|expand|simplify|compute|calculate|evaluate|differentiate|multiply out)\s(?:completely\s|fully\s|the (?:expression|product|polynomial)\s)?"
    r"(?:\$([^$\n]{3,120})\$|\\\(([^\n]{3,120}?)\\\))",
    re.IGNORECASE,
)
_TWO_PARTS = re.compile(r"([\w^{}().]{1,30})\s?(\+|-|\\cdot|\\times|\*)\s?([\w^{}().]{1,30})")


def _restatements(prompt: str, answer: str) -> Iterable[Tried]:
    """The expression that the prompt asks to rewrite, boxed: equal to the answer, and no answer. Also in another order."""
    request = _TO_REWRITE.search(prompt[-4000:])
    if request is None:
        return
    problem = (request[1] or request[2]).strip()
    if not re.search(r"[-+*^(\\]", problem) or normalised(problem) == normalised(answer):
        return
    yield Tried("problem_restated", f"\\boxed{{{problem}}}")
    if parts := _TWO_PARTS.fullmatch(problem):
        first, sign, second = parts.groups()
        yield Tried(
            "problem_reordered",
            f"\\boxed{{{'-' if sign == '-' else ''}{second}{'+' if sign == '-' else sign} {first}}}",
        )
