"""Is the final number the reference's number?

What is equal: 1,234 = 1 234 = 1234.00 = 1{,}234; $18 = 18 dollars; 45% = 45 = 0.45; 3/4 = \\frac{3}{4} = 0.75 = ¾;
twelve = 12; 3 million = 3000000. The sign always matters.

Tolerance, and nothing else: a reference with at least two decimals is met by a more precise number that rounds to it
(33.33 by 33.3333 or 100/3), and a fraction without a finite decimal is met by a decimal of at least three places that
is its rounding (1/3 by 0.333). An integer is never met by rounding.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import ClassVar, NamedTuple

from rlar.text.answers import claims, read_tier, reference_answer, second_reading, tidy, visible_answer
from rlar.tool import LibraryTool
from rlar.types import AnswerKind, Sample, Score, abstain, ok

MAX_DIGITS = 60
"""Longer digit strings are not read as numbers."""


class Number(NamedTuple):
    """One number as written."""

    values: tuple[Fraction, ...]
    """Its readings: 45% is 45 or 0.45; "3 million" is 3,000,000 or 3 (the unit may be the question's)."""
    decimals: int
    """Digits after the point; -1 for a fraction."""


# ------------------------------------------------------------------------------------------ reading

_VULGAR = {
    "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5", "⅘": "4/5",
    "⅙": "1/6", "⅚": "5/6", "⅐": "1/7", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8", "⅑": "1/9", "⅒": "1/10",
}  # fmt: skip
_VULGAR_PATTERN = re.compile("[" + "".join(_VULGAR) + "]")
_CALCULATION = re.compile(r"<<[^<>\n]{0,200}>>")
_FRAC = re.compile(
    r"(-?)\\[dtc]?frac\s*(?:\{\s*(-?\d{1,60})\s*\}\s*\{\s*(-?\d{1,60})\s*\}|(\d)\s*(\d)|(\d)\s*\{(\d{1,60})\})"
)
_LATEX_TEXT = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mbox|operatorname)\s*\{([^{}]{0,200})\}")
_LATEX_NOISE = re.compile(
    r"\\(?:left|right|displaystyle|,|;|:|quad|qquad)(?![a-zA-Z])|\^\s*+(?:\{\s*+)?\\circ\s*+\}?|\\degree|\\!|°"
)
_POWER_OF_TEN = re.compile(r"\s*+(?:\\times|\\cdot|×|x|\*|·)\s*+10\s*+(?:\^|\*\*)\s*+(?:\{\s*+)?([+-]?\d{1,3})\s*+\}?")
_EXPONENT = re.compile(r"[eE]([+-]?\d{1,3})(?![\w.])")
_TOKEN = re.compile(
    r"(?<![\w./])(?P<int>\d{1,3}(?:(?P<sep>[,'’\u00a0\u2009\u202f ])\d{3})(?:(?P=sep)\d{3}){0,18}(?!\d)|\d{1,2}(?:,\d\d){1,6},\d{3}(?!\d)|\d{1,60})"
    r"(?P<dec>\.\d{1,60}(?![\d])|\.(?!\d))?"
    r"(?P<euro>,\d{1,2}(?![\d,]))?"
    r"(?P<rest>(?:\s*/\s*|\s+\d{1,9}/)\d{1,60}(?!\d))?"
    r"|(?<![\w.])(?P<bare>\.\d{1,60})"
)
_EURO_GROUPS = re.compile(r"(?<![\w.,])(\d{1,3}(?:\.\d{3})+),(\d{1,4})(?![\d,])")
_SCALES = {
    "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12,
    "millions": 10**6, "billions": 10**9, "trillions": 10**12, "thousands": 1000, "dozens": 12,
}  # fmt: skip
_SCALE = re.compile(r"\s*(" + "|".join(_SCALES) + r")\b", re.I)
_PERCENT = re.compile(r"\s*(?:\\?%|percent\b|per cent\b|pct\b)", re.I)
_SMALL = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS = {word: value for value, word in enumerate(_SMALL.split())}
_WORDS |= {word: 10 * value for value, word in enumerate(_TENS.split(), start=2)}
_WORD_RUN = re.compile(
    r"\b(?:(?:minus|negative)\s+)?(?:" + "|".join(_WORDS) + r")\b(?:[\s-]+(?:and\s+)?(?:" + "|".join([*_WORDS, *_SCALES]) + r")\b){0,12}",
    re.I,
)  # fmt: skip
_MINUS_WORD = re.compile(r"(?:\bminus|\bnegative)\s*\W{0,2}$", re.I)
_NOT = re.compile(r"\b(?:not|isn't|never|nicht|pas)\s+(?:\w+\s+)?\W{0,3}$", re.I)


def plain(text: str) -> str:
    """The text with one way of writing each digit, minus, fraction and separator."""
    text = _CALCULATION.sub("", text) if "<<" in text else text
    if not text.isascii():
        text = _VULGAR_PATTERN.sub(lambda match: " " + _VULGAR[match.group()], text)
        text = unicodedata.normalize("NFKC", text.replace("\u2009", " ").replace("\u202f", " "))
        text = "".join(_ascii_digit(character) for character in text)
    if "{,}" in text:
        text = text.replace("{,}", ",")
    if "\\" in text:
        text = _LATEX_NOISE.sub("", text.replace("\\$", "$").replace("\\%", "%"))
        text = _FRAC.sub(_read_frac, text)
        text = _LATEX_TEXT.sub(r" \1 ", text)
    return _EURO_GROUPS.sub(lambda match: match[1].replace(".", "") + "." + match[2], text) if "," in text else text


def _ascii_digit(character: str) -> str:
    if character in "−–‒﹣－":
        return "-"
    if character == "⁄":
        return "/"
    return str(unicodedata.decimal(character)) if character.isdecimal() else character


def _read_frac(match: re.Match[str]) -> str:
    sign, top, bottom, top1, bottom1, top2, bottom2 = match.groups()
    before = match.string[match.start() - 1 : match.start()]
    space = " " if before.isdigit() else ""
    return f"{space}{sign}{top or top1 or top2}/{bottom or bottom1 or bottom2}"


class _Found(NamedTuple):
    number: Number
    start: int
    end: int


def _find(text: str, *, limit: int = 400) -> list[_Found]:
    """The numbers of a plain text, left to right; at most the last `limit`."""
    found: list[_Found] = []
    for match in list(_TOKEN.finditer(text))[-limit:]:
        if found and match.start() < found[-1].end:
            continue  # the 10 of "6.02 x 10^23"
        if (one := _read_token(text, match)) is not None:
            found.append(one)
    return found


def _read_token(text: str, match: re.Match[str]) -> _Found | None:
    start, end = match.span()
    if text[end : end + 1] in (":", ".") and text[end + 1 : end + 2].isdigit():
        return None
    if start and text[start - 1] == ":" and text[start - 2 : start - 1].isdigit():
        return None
    whole = re.sub(r"\D", "", match["int"] or "")
    listed = text[start - 1 : start] == ","  # 1,2,3 is a list; its 2,3 is no decimal
    part = (match["bare"] or match["dec"] or "").lstrip(".") or ("" if listed else (match["euro"] or "").lstrip(","))
    if len(whole) + len(part) > MAX_DIGITS:
        return None
    value = Fraction(int((whole or "0") + part), 10 ** len(part))
    decimals = len(part)
    rest = match["rest"]
    if rest:
        mixed, _, bottom = rest.rpartition("/")
        if int(bottom) == 0:
            return None
        if mixed.strip():
            value += Fraction(int(mixed), int(bottom))
        else:
            value /= int(bottom)
        decimals = -1
    elif exponent := (_EXPONENT.match(text, end) or _POWER_OF_TEN.match(text, end)):
        value *= Fraction(10) ** int(exponent[1])
        end = exponent.end()
        decimals = max(0, decimals - int(exponent[1]))
    if _is_negative(text, start):
        value = -value
    values = [value]
    if scale := _SCALE.match(text, end):
        values = [value * _SCALES[scale[1].lower()], value]
        end = scale.end()
    elif percent := _PERCENT.match(text, end):
        values = [value, value / 100]
        end = percent.end()
    return _Found(Number(tuple(values), decimals), start, end)


def _is_negative(text: str, start: int) -> bool:
    """Is there a sign (not an operator, a hyphen or a range) in front of position `start`?"""
    head = text[max(0, start - 24) : start].rstrip("$€£¥( ")
    if not head.endswith("-"):
        return bool(_MINUS_WORD.search(head))
    before = head[:-1]
    if before and (before[-1].isalnum() or before[-1] in ")]}.%"):
        return False
    trimmed = before.rstrip()
    # "16 - 3" and "16 -3" subtract; "is -3" and "= -3" do not.
    return not (trimmed and (trimmed[-1].isdigit() or trimmed[-1] in ")]}%"))


def _words_value(text: str) -> Number | None:
    """The last number spelt out in English ("two hundred and five"), or None."""
    runs = _WORD_RUN.findall(text[-400:])
    if not runs:
        return None
    total = current = 0
    for word in re.findall(r"[a-z]+", runs[-1].lower()):
        if word in _WORDS:
            current += _WORDS[word]
        elif word in {"hundred", "dozen", "dozens"}:
            current = max(1, current) * _SCALES[word]
        elif word in _SCALES:
            total += max(1, current) * _SCALES[word]
            current = 0
    value = total + current
    return Number((Fraction(-value if runs[-1].lower().startswith(("minus", "negative")) else value),), 0)


# ------------------------------------------------------------------------------------------ claims

_CHAIN = re.compile(
    r"[\w$€£¥%°]{0,14}(?:,|;|\||/|\s|-|\*|\(?[a-zA-Z][).:]|\bor\b|\band\b|\bto\b|&|\boder\b|\bou\b|\bo\b|\by\b|\bet\b|或|、|和)++[-$€£¥(]*",
    re.I,
)
_OPERATOR = re.compile(r"\s*(?:[+*×^]|![\w!(]|\\times|\\cdot|\\sqrt|\\pi|π|√|-\s*\d|-\s*[a-zA-Z](?![a-zA-Z]))")
_INSIDE = re.compile(
    r"\\(?!approx|boxed|fbox|simeq|sim|therefore|implies|Rightarrow|rightarrow|to|bf|large|Large|mathbf|text)[a-zA-Z]+"
    r"|[\^_]|\b(?:sqrt|log|ln|sin|cos|tan)\b|(?<![a-zA-Z])[a-zA-Z]\s?[-+*/(]"
)
"""Before a number: it is a part of an expression (\\sqrt{3}, x^2)."""
_COEFFICIENT = re.compile(r"[a-fh-ln-rt-z](?![\w])|\(")
_REASON = re.compile(
    r"\b(?:because|since|as|which|where|given|per|for|in|after|before|by|from|of|weil|porque|parce)\b|[(.;]\s", re.I
)


def _chain(text: str, found: list[_Found], index: int, step: int) -> list[_Found]:
    """The numbers enumerated together with number `index`, going forward (step 1) or backward (-1)."""
    chain = [found[index]]
    while 0 <= index + step < len(found):
        left, right = sorted((found[index], found[index + step]), key=lambda one: one.start)
        between = text[left.end : right.start]
        if len(between) > 24 or not _CHAIN.fullmatch(between):
            break
        index += step
        chain.append(found[index])
    return chain


def claimed_number(claim: str) -> tuple[Number, ...] | None:
    """The number(s) that a claim puts forward ("18 dollars because 9 * 2 = 18" -> 18); None when it has none.

    More than one number comes back for an enumeration ("16, 17 or 18"), and an impossible one for "not 18".
    """
    text = plain(tidy(claim[:600]))
    clause = text
    if "=" in text:
        head = _REASON.split(text, maxsplit=1)[0]
        if "=" in head:
            clause = head[head.rindex("=") + 1 :]
    found = _find(clause)
    if not found:
        words = _words_value(clause[:80])
        return None if words is None else (words,)
    first = found[0]
    if (
        _INSIDE.search(clause[max(0, first.start - 80) : first.start])
        or _NOT.search(clause[max(0, first.start - 24) : first.start])
        or _OPERATOR.match(clause, first.end)
        or _COEFFICIENT.match(clause, first.end)
    ):
        return (NOT_A_NUMBER,)
    chain = _chain(clause, found, 0, 1)
    return tuple(one.number for one in chain)


NOT_A_NUMBER = Number((), 0)
"""Equal to nothing: an expression left unfinished, or a negated claim."""


def last_number(text: str) -> tuple[Number, ...] | None:
    """The last number of a text without a cue, with all that are enumerated beside it; None without numbers."""
    tail = plain(text[-2000:].replace("**", ""))
    found = _find(tail)
    if not found:
        words = _words_value(tail)
        return None if words is None else (words,)
    kept = [one for one in found if not _NOT.search(tail[max(0, one.start - 24) : one.start])]
    if not kept:
        return (NOT_A_NUMBER,)
    end = kept[-1].end
    if (_OPERATOR.match(tail, end) and "=" not in tail[end:]) or _COEFFICIENT.match(tail, end):
        return (NOT_A_NUMBER,)
    if re.search(r"[\d)}]\s*+[+*×/÷]\s*+(?:[$€£¥]\s*+)?$", tail[max(0, kept[-1].start - 24) : kept[-1].start]):
        return (NOT_A_NUMBER,)  # 1 + 18
    token = _token_around(tail, kept[-1]).rsplit("=", 1)[-1]
    if re.search(r"\^|![\w)!(]|\\(?:sqrt|frac|log|sin|cos|tan)", token):
        return (NOT_A_NUMBER,)  # 10^{10^{10}}
    chain = _chain(tail, kept, len(kept) - 1, -1)
    return tuple(one.number for one in (_recited(tail, kept) or chain))


def _token_around(text: str, found: _Found) -> str:
    """What touches a number without a space (at most 80 characters on either side)."""
    before = re.split(r"\s", text[max(0, found.start - 80) : found.start])[-1]
    after = re.split(r"\s", text[found.end : found.end + 80], maxsplit=1)[0]
    return f"{before} {after}"


def _recited(text: str, found: list[_Found]) -> list[_Found]:
    """The last numbers when one phrase comes before each of them ("try 17 try 18"): guesses, not steps; else []."""
    if len(found) < 2:
        return []
    phrase = text[found[-2].end : found[-1].start].strip(" ,.;:\n").lower()
    before = text[: found[-2].start].rstrip(" :").lower()
    if (
        re.search(r"\w", phrase)
        and not re.search(r"[=+*/×]", phrase)
        and len(phrase) < 40
        and before.endswith(phrase.rstrip(" :"))
    ):
        return found[-2:]
    return []


_BEFORE = re.compile(r"(?:[^\W\d_]{2,20}[.:]?\s++){0,4}(?:[A-Z]{2,3})?[$€£¥₹(\s]*+[-+]?\s?[$€£¥₹]?\s?")
_AFTER = re.compile(
    r"\s*[%°$€£¥₹)]?(?:(?:[^\W\d_]{2,20}[²³]?|\s[a-zA-Z][²³]?)(?:[./-][^\W\d_]{1,12})?(?=[\s.)]|$)\s*){0,4}[.)]?\s*+"
)
"""What may stand around a reference's number: a few words, a currency, a unit (of one letter only after a space)."""


@lru_cache(maxsize=8192)
def read_reference(reference: str) -> Number | None:
    """The reference's number; None where the reference holds none, several, or an expression."""
    answer = tidy(plain(reference_answer(reference))).strip("$ ")
    if len(answer) > 120 or ("=" in answer and re.search(r"[a-zA-Z]\s*\(", answer)):
        return None
    if re.search(r"(?m)^[^\n(\[]*+[(\[][^\n,]*+,[^\n)\]]*+[)\]]", answer):
        return None  # a pair or an interval
    head, _, answer = answer.rpartition("=")
    if head and (
        re.search(r",|;|\bor\b|\band\b", head) or (re.search(r"[a-zA-Z]", head) and re.search(r"[\^+*/\\\d-]", head))
    ):
        return None
    found = _find(answer)
    if len(found) == 1:
        before, after = answer[: found[0].start], answer[found[0].end :]
        return (
            found[0].number
            if _BEFORE.fullmatch(before) and _AFTER.fullmatch(after) and not _NOT.search(before)
            else None
        )
    if not found and answer and _WORD_RUN.fullmatch(answer.split(" ", 6)[0] if " " not in answer else answer):
        return _words_value(answer)
    return None


def same_number(claimed: Number, wanted: Number) -> bool:
    """Equal in some reading of both, under the tolerance that this module states."""
    # Two that both carry a unit of scale are compared with it: 3 thousand is not 3 million.
    both_scaled = len(claimed.values) > 1 and len(wanted.values) > 1
    for got in claimed.values[:1] if both_scaled else claimed.values:
        for want in wanted.values[:1] if both_scaled else wanted.values:
            if got == want or _rounds_to(got, claimed.decimals, want, wanted.decimals):
                return True
    return False


def _rounds_to(got: Fraction, got_decimals: int, want: Fraction, want_decimals: int) -> bool:
    if want_decimals >= 2 and (got_decimals > want_decimals or got_decimals < 0):
        return abs(got - want) <= Fraction(1, 2 * 10**want_decimals)
    if want_decimals < 0 and got_decimals >= 3:
        return abs(got - want) <= Fraction(1, 2 * 10**got_decimals)
    return False


class NumberMatch(LibraryTool):
    """1.0 when every final number that the completion claims is the reference's, else 0.0."""

    name = "number"
    answer_kinds: ClassVar[frozenset[AnswerKind]] = frozenset({AnswerKind.NUMBER})
    role = "verifier"
    runs = "inline"
    summary = "final number equals the reference's (separators, units, percent, fractions, words; sign matters)"

    def score_one(self, sample: Sample) -> Score:
        wanted = [read_reference(one) for one in (sample.references or (sample.reference or "",))]
        targets = [one for one in wanted if one is not None]
        if not targets or len(targets) < len(wanted):
            return abstain("the reference is not one number")
        text = visible_answer(sample.answer, sample.prompt)
        numbers = said_numbers(text)
        if not numbers:
            return ok(0.0, "no number found" if text else "no answer")
        if (result := claimed_number(second_reading(text))) and all_equal(result, targets) != all_equal(
            numbers, targets
        ):
            return abstain("the last equation and the last number differ", readers_disagree=True)
        if not all_equal(numbers, targets):
            several = len({number.values for number in numbers}) > 1
            return ok(0.0, "several different answers" if several else "another number")
        return ok(1.0, "the same number")


def said_numbers(text: str) -> list[Number]:
    """Every number that the strongest readable tier of claims puts forward; [] when there is none."""
    found = claims(text)
    said = read_tier((found.boxed, found.final, found.cued), claimed_number)
    if not said and len(found.bold) == 1:
        said = read_tier((found.bold,), last_number)
    if not said and (fallback := last_number(text)) is not None:
        said = [fallback]
    return [number for claim in said for number in claim]


def all_equal(numbers: Sequence[Number], targets: Sequence[Number]) -> bool:
    return all(any(same_number(number, target) for target in targets) for number in numbers)
