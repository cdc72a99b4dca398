"""Is the final number the reference's number?

What is equal: 1,234 = 1 234 = 1234.00 = 1{,}234; $18 = 18 dollars; 45% = 45 = 0.45; 3/4 = \\frac{3}{4} = 0.75 = ¾;
twelve = 12; one third = 1/3; 3 million = 3000000. The sign always matters.

A unit counts where both name one: 90 min = 1.5 h, but 2.5 km is not 2.5 miles; 14 even is not 14 odd. A number without
a unit is compared as it stands.

Tolerance, and nothing else: a reference with at least two decimals is met by a more precise number that rounds to it
(33.33 by 33.3333 or 100/3), and a fraction without a finite decimal is met by a decimal of at least three places that
is its rounding (1/3 by 0.333). An integer is never met by rounding.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import ClassVar, NamedTuple

from rlar.kinds.units import Unit, ratio, read_unit, unit_after
from rlar.text.answers import claims, last_result, read_tier, reference_answer, tidy, visible_answer
from rlar.text.sentences import CORRECTION, Parts, parts_of
from rlar.text.stems import Stems
from rlar.tool import LibraryTool
from rlar.types import AnswerKind, Sample, Score, abstain, ok

MAX_DIGITS = 60
"""Longer digit strings are not read as numbers."""


TAIL = 600
"""Characters in which the last sentence with a number is looked for."""


class Number(NamedTuple):
    """One number as written."""

    values: tuple[Fraction, ...]
    """Its readings: 45% is 45 or 0.45; "3 million" is 3,000,000 or 3 (the unit may be the question's)."""
    decimals: int
    """Digits after the point; -1 for a fraction."""
    unit: Unit | None = None
    """The unit that `values[0]` is given in."""
    converted: bool = False
    """Was it claimed in another unit than the prompt asks for?"""
    noun: str = ""
    """What is counted, where the number and these words are the whole text: "apples", "even"."""


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
_SPACE_RUN = re.compile(r" {2,}")
_POWER_OF_TEN = re.compile(r"\s*+(?:\\times|\\cdot|×|x|\*|·)\s*+10\s*+(?:\^|\*\*)\s*+(?:\{\s*+)?([+-]?\d{1,3})\s*+\}?")
_EXPONENT = re.compile(r"[eE]([+-]?\d{1,3})(?![\w.])")
_BESIDE = r"(?<![^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3])"
"""No letter of a script that puts spaces between words stands in front."""
_TOKEN = re.compile(
    _BESIDE
    + r"(?<![./])(?P<int>\d{1,3}(?:(?P<sep>[,'’\u00a0\u2009\u202f ])\d{3})(?:(?P=sep)\d{3}){0,18}(?!\d)|\d{1,2}(?:,\d\d){1,6},\d{3}(?!\d)|\d{1,60})"
    r"(?P<dec>\.\d{1,60}(?![\d])|\.(?!\d))?"
    r"(?P<euro>,\d{1,2}(?![\d,]))?"
    r"(?P<rest>(?:\s*/\s*|\s+\d{1,9}/)\d{1,60}(?!\d))?"
    r"|" + _BESIDE + r"(?<!\.)(?P<bare>\.\d{1,60})"
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
_PARTS = {"half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
          "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "fifteenth": 15, "sixteenth": 16, "twentieth": 20, "hundredth": 100,
          "thousandth": 1000}  # fmt: skip
_PARTS |= {word + "s": value for word, value in _PARTS.items() if word != "halves"}
_ALTERNATIVES = "|".join([*_WORDS, *_SCALES])
_WORD_RUN = re.compile(
    rf"\b(?:(?:minus|negative)\s+)?(?:{'|'.join(_WORDS)}|half(?=\s+(?:a\s+)?(?:dozen|hundred|thousand|million|billion))"
    rf"|an?\s+(?:{'|'.join(_SCALES)}))\b(?:[\s-]+(?:and\s+|a\s+)?(?:{_ALTERNATIVES})\b){{0,12}}"
    rf"(?:\s+point(?:\s+(?:{'|'.join(_WORDS)})\b){{1,9}})?",
    re.I,
)
_PART_WORD = "|".join(_PARTS)
_PART_OF_WORDS = re.compile(
    rf"\b({'|'.join(_SMALL.split())}|an?|\d{{1,9}})[\s-]+({_PART_WORD})\b(?![\s-]+(?:of\s+)?an?\s+(?:{'|'.join(_SCALES)})\b)",
    re.I,
)
_BARE_HALF = re.compile(r"^\W*half\b|\band\s+half\b(?=\W*$)", re.I)
_MIXED = re.compile(r"(?<![\d./])(\d{1,9})\s+and\s+(\d{1,9}/\d{1,9})(?![\d/])")
_AND_A_PART = re.compile(r"(?<![\d./])(\d{1,9}) and an? (half|third|quarter|fifth|eighth|tenth)\b", re.I)
_CHINESE = re.compile(r"[零〇一二两三四五六七八九十百千万亿]{1,16}")
_MINUS_WORD = re.compile(r"(?:\bminus|\bnegative)\s*\W{0,2}$", re.I)
_NOT = re.compile(
    r"(?:\b(?:not|cannot|never|hardly|scarcely|barely|neither|nor|no longer|anything but|instead of|rather than|nicht|kein\w{0,2}|niemals|pas|jamais"
    r"|nunca|jamás|não|niet|nie|inte|ikke|не)\b|(?<!no )(?<!,)(?<!^)\bno(?= (?:es|son)\b)|(?:,|\by|\be|\bet)\s+(?:no|non)\b|n['’]t\b|不是|不等于|并非|绝非|ではなく|아니라)"
    r"\s*(?:(?:be|been|equal|equals|think|believe|suppose|say|that|it|it's|it’s|answer|to|exactly|really|simply|just|the|number|value|get|got|is|are|quite|even|an?|about|have|has|had|es|son|find|reach|come|give|yield|possibly|well|really)\s+){0,4}"
    r"[^\w\n]{0,3}(?:\\?[a-zA-Z]{1,8}\s?=\s?)?(?:[$€£¥₹]\s?)?$",
    re.I,
)
_DENIED = re.compile(
    r"[*_`\"'”’]{0,3}(?:\s[^\W\d_]{1,14}){0,2}\s+(?:"
    r"(?:is|are|was|were|would\s+be|can|could|cannot|does)(?:n['’]t|\s+(?:not|never|hardly)\b)?\s*(?:be\s+)?(?:wrong|incorrect|false|impossible|ruled\s+out|too\s+(?:low|high|big|small|large|much|many))\b"
    r"|(?:is|are|was|were|would\s+be|can|could|cannot|does|do)(?:n['’]t\b|\s+(?:not|never|hardly)\b|(?<=cannot))\s*(?:be\s+|fit\s+|work\b)?(?:the\s+)?(?:(?:correct|right|true|possible|valid|answer|solution|result|it|work|fit)\b|(?=[.!,;]|$))"
    r"|fails\b|ist\s+(?:nicht\s+(?:richtig|korrekt)|falsch)\b|est\s+faux\b|n['’]est\s+pas\s+(?:correct|juste|bon)\w*|no\s+es\s+(?:correct|la\s+resp)\w*|es\s+incorrect\w*)"
    r"|(?:这|是)?(?:不对|错误|是错|不是(?:正确)?答案)|は(?:違|間違)",
    re.I,
)
"""Before and after a number: it is denied ("not exactly 18", "18 is wrong")."""
_DENIES = re.compile(
    r"\b(?:not|can|never|hardly|scarcely|barely|neither|nor|anything|longer|wrong|incorrect|false|impossible|ruled|too|fails|nicht|kein|niemals|falsch|pas|jamais"
    r"|nunca|jamás|não|niet|nie|inte|ikke|no|non|es|faux|instead|rather|не)|n['’]t|cannot|不|并非|绝非|错|ではなく|아니라|は[違間]",
    re.I,
)
"""Whether either of them may match at all."""
_DENIAL_STEMS = Stems(
    "not", "n't", "n’t", "never", "hardly", "scarc", "bare", "neith", "nor", "anyth", "longer", "wrong", "incorr", "false", "imposs", "ruled", "too ", "fails", "nicht", "kein",
    "niem", "falsch", " pas", "jam", "nunca", "não", "niet", "nie ", "inte ", "ikke", " no", "faux", "instead", "rather", " не ", "不", "并非", "绝非", "错", "是错", "ではなく", "아니라", "は違", "は間",
)  # fmt: skip
"""One of these stands in every text in which it does."""
_NOT_STEMS = Stems(
    "no", "n't", "never", "hardly", "scarcely", "barely", "neither", "anything but", "instead of", "rather than", "nicht", "kein", "nie", "pas", "jamais", "nunca", "inte", "ikke",
)  # fmt: skip
"""One of these stands in every text of ASCII before a number that is denied."""
_BUT = re.compile(r"\s?[,;]?\s?(?:but|it is|it's|rather|sondern|sino|mais|而是)\b", re.I)


_WORDED = re.compile(r"(?<=[\d)])\s+(minus|plus|times|divided\s+by|multiplied\s+by)\s+(?=[$€£(]?\d)", re.I)
_WORDED_SIGNS = {"minus": "-", "plus": "+", "times": "×", "multiplied": "×", "divided": "÷"}


def denied(text: str, position: int) -> bool:
    """Does the text in front of a position deny what stands there?"""
    before = text[max(0, position - 60) : position]
    return (not before.isascii() or _NOT_STEMS.stand_in(before.casefold())) and _NOT.search(before) is not None


def plain(text: str) -> str:
    """The text with one way of writing each digit, minus, fraction and separator."""
    text = _CALCULATION.sub("", text) if "<<" in text else text
    if not text.isascii():
        text = _VULGAR_PATTERN.sub(lambda match: " " + _VULGAR[match.group()], text)
        text = unicodedata.normalize("NFKC", text.replace("\u2009", " ").replace("\u202f", " "))
        text = _OTHER_SIGNS.sub(_in_ascii, text)
    if "{,}" in text:
        text = text.replace("{,}", ",")
    if "\\" in text:
        text = _LATEX_NOISE.sub("", text.replace("\\$", "$").replace("\\%", "%"))
        text = _FRAC.sub(_read_frac, text)
        text = _LATEX_TEXT.sub(lambda match: f" {match[1].strip()} ", text)
        text = _SPACE_RUN.sub(" ", text)
    if "minus" in text or "plus" in text or "times" in text or "divided" in text or "multiplied" in text:
        text = _WORDED.sub(lambda match: f" {_WORDED_SIGNS[match[1].split()[0].lower()]} ", text)
    if " and a" in text:
        text = _AND_A_PART.sub(lambda match: f"{match[1]} 1/{_PARTS[match[2].lower()]}", text)
    return _EURO_GROUPS.sub(lambda match: match[1].replace(".", "") + "." + match[2], text) if "," in text else text


_OTHER_SIGNS = re.compile(r"[−–‒﹣－⁄]|(?![0-9])\d")


def _in_ascii(match: re.Match[str]) -> str:
    sign = match.group()
    return str(unicodedata.decimal(sign)) if sign.isdecimal() else "/" if sign == "⁄" else "-"


def _read_frac(match: re.Match[str]) -> str:
    sign, top, bottom, top1, bottom1, top2, bottom2 = match.groups()
    before = match.string[match.start() - 1 : match.start()]
    space = " " if before.isdigit() else ""
    return f"{space}{sign}{top or top1 or top2}/{bottom or bottom1 or bottom2}"


class _Found(NamedTuple):
    number: Number
    start: int
    end: int
    """After the unit, where one follows."""
    bare_end: int
    """Before it."""


def _find(text: str, *, limit: int = 400) -> list[_Found]:
    """The numbers of a plain text, left to right; at most the last `limit`."""
    found: list[_Found] = []
    for match in list(_TOKEN.finditer(text))[-limit:]:
        if found and match.start() < found[-1].end:
            continue  # the 10 of "6.02 x 10^23"
        if (one := _read_token(text, match)) is not None:
            if found and one.number.unit is not None and (whole := _compound(text, found[-1], one)) is not None:
                found[-1] = whole
            else:
                found.append(one)
    return found


_COMPOUND = re.compile(r"\s*(?:,|\band\b|\bund\b|\bet\b|\by\b)?\s*")


def _compound(text: str, one: _Found, other: _Found) -> _Found | None:
    """5 feet 3 inches as one quantity: the same dimension, in a smaller unit, and less than one of the larger."""
    larger, smaller = one.number.unit, other.number.unit
    if larger is None or smaller is None or other.start - one.end > 6:
        return None
    conversion = ratio(smaller, larger)
    if conversion is None or conversion >= 1 or not 0 <= other.number.values[0] * conversion < 1:
        return None
    if _COMPOUND.fullmatch(text, one.end, other.start) is None:
        return None
    value = one.number.values[0] + other.number.values[0] * conversion
    return _Found(Number((value,), -1, larger), one.start, other.end, other.bare_end)


_NO_DIGIT = re.compile(r"\D")
_NOTHING_FOLLOWS = frozenset(["", ".", ",", ";", ":", ")", "]", "}", "?", "!", "=", "\n", "+"])
"""What ends a number that neither a unit nor a scale follows."""


def _read_token(text: str, match: re.Match[str]) -> _Found | None:
    start, end = match.span()
    before, after = text[start - 1] if start else "", text[end : end + 1]
    if after in (":", ".") and text[end + 1 : end + 2].isdigit():
        return None
    if before == ":" and text[start - 2 : start - 1].isdigit():
        return None
    whole, _, point, comma, rest, bare = match.groups(default="")
    if not whole.isdecimal():
        whole = _NO_DIGIT.sub("", whole)
    part = (bare or point).lstrip(".")
    if comma and not part and before != ",":  # 1,2,3 is a list; its 2,3 is no decimal
        part = comma.lstrip(",")
    if len(whole) + len(part) > MAX_DIGITS:
        return None
    value = Fraction(int((whole or "0") + part), 10 ** len(part)) if part else Fraction(int(whole))
    decimals = len(part)
    is_last = after in _NOTHING_FOLLOWS
    sign = "" if is_last else _first_sign(text, end)
    if rest:
        mixed, _, bottom = rest.rpartition("/")
        if int(bottom) == 0:
            return None
        if mixed.strip():
            value += Fraction(int(mixed), int(bottom))
        else:
            value /= int(bottom)
        decimals = -1
    elif sign in _OPENS_EXPONENT and (exponent := _EXPONENT.match(text, end) or _POWER_OF_TEN.match(text, end)):
        value *= Fraction(10) ** int(exponent[1])
        end = exponent.end()
        sign = _first_sign(text, end)
        decimals = max(0, decimals - int(exponent[1]))
    if _is_negative(text, start):
        value = -value
    if is_last:
        return _Found(Number((value,), decimals, _currency_before(text, start, end)), start, end, end)
    values = [value]
    if sign in _OPENS_SCALE and (scale := _SCALE.match(text, end)):
        values = [value * _SCALES[scale[1].lower()], value]
        end = scale.end()
    elif sign in _OPENS_PERCENT and (percent := _PERCENT.match(text, end)):
        values = [value, value / 100]
        end = percent.end()
    elif "out of" in text[end : end + 24] and (of := _OUT_OF.match(text, end)) and int(of[1]):
        values = [value, value / int(of[1])]
    if following := unit_after(text, end):
        if following[0] == _EURO and decimals == 3 and len(whole) <= 3 and value >= 1:
            values = [value * 1000, value]  # 55.000 € are fifty-five thousand
        return _Found(Number(tuple(values), decimals, following[0]), start, following[1], end)
    return _Found(Number(tuple(values), decimals, _currency_before(text, start, end)), start, end, end)


_OPENS_EXPONENT = frozenset("eE\\×x*·")
_OPENS_SCALE = frozenset("htmbdHTMBD")
_OPENS_PERCENT = frozenset("\\%pP")
"""What begins with another sign than these is none, which is told sooner than by a search."""


def _first_sign(text: str, position: int) -> str:
    """The first character from a position that is no white space; "" where there is none."""
    while (sign := text[position : position + 1]).isspace():
        position += 1
    return sign


_EURO = read_unit("€")
_OUT_OF = re.compile(r"\s(?:[^\W\d_]{1,12}\s)?out of (?:the |all )?(\d{1,9})(?![\d.,/])")
_CURRENCY = re.compile(r"(?:([$€£¥₹])|\b(USD|EUR|GBP|JPY|CNY|INR|RMB)\s?)[\s-]?$")
_CURRENCY_LETTERS = frozenset("$€£¥₹DRPYB")
"""One of these stands in every sign or name of a currency."""


def _currency_before(text: str, start: int, end: int) -> Unit | None:
    """The currency whose sign stands in front; none where "$" is LaTeX's (another one closes the formula)."""
    before = text[max(0, start - 5) : start]
    if not before or before[-1] in ",.(:=+*/" or _CURRENCY_LETTERS.isdisjoint(before):
        return None
    match = _CURRENCY.search(before)
    if match is None:
        return None
    if match[1] == "$":
        closing = text.find("$", end, end + 40)
        if closing >= 0 and not text[closing + 1 : closing + 2].isdigit():
            return None
    return read_unit(match[1] or match[2])


def _is_negative(text: str, start: int) -> bool:
    """Is there a sign (not an operator, a hyphen or a range) in front of position `start`?"""
    head = text[max(0, start - 24) : start].rstrip("$€£¥( ")
    if not head.endswith("-"):
        return ("inus" in head or "egative" in head or head.isupper()) and _MINUS_WORD.search(head) is not None
    before = head[:-1]
    if before and (before[-1].isalnum() or before[-1] in ")]}.%"):
        return False
    trimmed = before.rstrip()
    # "16 - 3" and "16 -3" subtract; "is -3" and "= -3" do not.
    return not (trimmed and (trimmed[-1].isdigit() or trimmed[-1] in ")]}%"))


def in_digits(text: str) -> str:
    """The text with numbers spelt out in English or Chinese as digits: "two and a half" -> "2 1/2", 十二个 -> 12个.

    For texts without digits: beside digits, "one" is mostly no number.
    """
    text = _WORD_RUN.sub(_run_in_digits, text)
    text = _PART_OF_WORDS.sub(_part_in_digits, text)
    text = _MIXED.sub(
        r"\1 \2", _BARE_HALF.sub(lambda match: match.group().replace("half", "1/2").replace("Half", "1/2"), text)
    )
    return text if text.isascii() else _CHINESE.sub(lambda match: _chinese_in_digits(match, text), text)


def _run_in_digits(match: re.Match[str]) -> str:
    words = re.findall(r"[a-z]+", match.group().lower())
    negative = words[0] in ("minus", "negative")
    total, current = Fraction(0), Fraction(0)
    digits = ""
    for index, word in enumerate(words):
        if "point" in words[:index]:
            digits += str(_WORDS.get(word, ""))
        elif word in _WORDS:
            current += _WORDS[word]
        elif word == "half":
            current = Fraction(1, 2)
        elif word in {"hundred", "dozen", "dozens"}:
            current = (current or Fraction(1)) * _SCALES[word]
        elif word in _SCALES:
            total += (current or Fraction(1)) * _SCALES[word]
            current = Fraction(0)
    value = total + current
    spelled = str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"
    return ("-" if negative else "") + spelled + (f".{digits}" if digits else "")


def _part_in_digits(match: re.Match[str]) -> str:
    count, part = match[1].lower(), match[2].lower()
    top = 1 if count in ("a", "an") else int(count) if count.isdigit() else _WORDS[count]
    if (top == 1) == part.endswith("s") and part not in ("half",):
        return match.group()  # "twenty third" is a rank
    return f"{top}/{_PARTS[part]}"


def _chinese_in_digits(match: re.Match[str], text: str) -> str:
    if len(match.group()) == 1 and len(text) > 8:
        return match.group()  # 一个 and the like: an article
    total = section = digit = 0
    for character in match.group():
        value = 2 if character == "两" else int(unicodedata.numeric(character, 0))
        if value < 10:
            digit = digit * 10 + value if digit else value
        elif value < 10_000:
            section, digit = section + (digit or 1) * value, 0
        else:
            total, section, digit = (total + section + digit or 1) * value, 0, 0
    return str(total + section + digit)


# ------------------------------------------------------------------------------------------ claims

_CHAIN = re.compile(
    r"[\w$€£¥%°]{0,14}(?:,|;|\||/|\s|-|\*|\(?[a-zA-Z][).:]|[!?]\s|\bor\b|\band\b|\bto\b|&|\boder\b|\bou\b|\bo\b|\by\b|\bet\b|或|、|和)++[-$€£¥(]*",
    re.I,
)
_OPERATOR = re.compile(
    r"\s*(?:[+*×^]|![\w!(]|\\times|\\cdot|\\sqrt|\\pi|π|√|-\s*\d|-\s*[a-zA-Z](?![a-zA-Z])|[a-zA-Z]\s*[-+*/^](?![a-zA-Z]{2}))"
)
_INSIDE = re.compile(
    r"\\(?!approx|boxed|fbox|simeq|sim|therefore|implies|Rightarrow|rightarrow|to|bf|large|Large|mathbf|text)[a-zA-Z]+"
    r"|[\^_]|\b(?:sqrt|log|ln|sin|cos|tan)\b|(?<![a-zA-Z])[a-zA-Z]\s?[-+*/(]"
)
"""Before a number: it is a part of an expression (\\sqrt{3}, x^2)."""
_COEFFICIENT = re.compile(r"[a-fh-ln-rt-z](?![\w])|\((?=\s*(?:[-+]?\d|\\|[a-zA-Z]\s*[-+*/^)]))")
_REASON = re.compile(
    r"\b(?:because|since|as|which|where|given|per|for|in|after|before|by|from|of|weil|porque|parce)\b|[(.;]\s", re.I
)


_OR = re.compile(r"\s?,?\s?(?:or|oder|ou|或)\s?[$€£¥]?")


def _chain(text: str, found: list[_Found], index: int, step: int) -> list[_Found]:
    """The numbers enumerated together with number `index`, going forward (step 1) or backward (-1)."""
    chain = [found[index]]
    while 0 <= index + step < len(found):
        left, right = sorted((found[index], found[index + step]), key=lambda one: one.start)
        one, other = left.number.unit, right.number.unit
        if one is not None and other is not None and ratio(other, one) is None:
            break  # "after 4 minutes, 28 litres"
        if _COEFFICIENT.match(text, left.bare_end):
            break  # 2n - 2
        joined = other is not None or _OR.fullmatch(text, left.end, right.start)
        between = text[left.end if joined else left.bare_end : right.start]
        if len(between) > 24 or "i.e" in between or not _CHAIN.fullmatch(between):
            break
        index += step
        chain.append(found[index])
    return chain


def claimed_number(claim: str) -> tuple[Number, ...] | None:
    """The number(s) that a claim puts forward ("18 dollars because 9 * 2 = 18" -> 18); None when it has none.

    More than one number comes back for an enumeration ("16, 17 or 18"), and an impossible one for "not 18".
    """
    text = plain(tidy(_BOLD_MARK.sub("", claim[:600])))
    if not _DIGIT.search(text):
        text = in_digits(text[:120])
    text = _without_explanation(text)
    clause, offset = text, 0
    if "=" in text:
        head = _REASON.split(text, maxsplit=1)[0]
        if "=" in head:
            offset = head.rindex("=") + 1
            clause = head[offset:]
    found = _find(clause)
    if not found:
        return None
    if clause is text and _SAYS.search(clause[: found[0].start]):
        return _said_in_sentence(clause, found)
    if denied(text, offset + found[0].start):
        # "not 16 but 18"
        if len(found) == 1 or not _BUT.match(clause, found[0].end):
            return (DENIED,)
        found = found[1:]
    first = found[0]
    if _DENIED.match(clause, first.end):
        return (DENIED,)
    if _in_expression(clause, first):
        return (NOT_A_NUMBER,)
    chain = _chain(clause, found, 0, 1)
    whole = clause is text and len(chain) == 1 and not clause[: first.start].strip(" $€£¥")
    return tuple(_restated([_with_noun(clause, first).number] if whole else [one.number for one in chain]))


_DIGIT = re.compile(r"\d")
_BOLD_MARK = re.compile(r"\*\*(?!\d)|(?<!\d)\*\*")
"""Not the power in 2**5."""
_SAYS = re.compile(r"(?:[^\W\d_]{2,20}[^\w]{1,4}){2}|\b[^\W\d_]{1,20}\s[^\W\d_]{2,20}\s\S{0,20}$")
"""Before the first number of a claim: the claim is a sentence, whose answer may stand further on."""


def _in_expression(text: str, one: _Found) -> bool:
    """Is the number a part of something larger: 18x, 2^18, 1 + 18?"""
    return bool(
        _INSIDE.search(text[max(0, one.start - 80) : one.start])
        or _OPERATOR.match(text, one.end)
        or _COEFFICIENT.match(text, one.end)
    )


def _restated(numbers: list[Number]) -> list[Number]:
    """One number for a quantity that is given twice, in two units: "$0.35, or 35 cents", "2.5 hours (150 minutes)"."""
    first = numbers[0]
    if len(numbers) < 2 or first.unit is None:
        return numbers
    values = list(first.values[:1])
    for other in numbers[1:]:
        conversion = ratio(other.unit, first.unit) if other.unit is not None else None
        if conversion is None or other.unit == first.unit:
            return numbers
        difference = abs(other.values[0] * conversion - values[0])
        if difference > abs(values[0]) * Fraction(3, 100):  # "180 cm (about 6 feet)"
            return numbers
        values.append(other.values[0])
    return [first._replace(values=tuple(values))]


def _with_noun(text: str, one: _Found) -> _Found:
    """The number with the words that follow it, where nothing else does."""
    noun = text[one.end :].strip(" .!\n").casefold()
    return one._replace(number=one.number._replace(noun=noun)) if _NOUN.fullmatch(noun) else one


_NOUN = re.compile(r"[^\W\d_]{1,20}\.?(?:[ -][^\W\d_]{1,20}\.?){0,2}|[ap]\.\s?m\.?")


NOT_A_NUMBER = Number((), 0)
"""Equal to nothing: a part of an expression."""
DENIED = Number((), 1)
"""Equal to nothing: the text says that it is not this number."""


def last_number(text: str) -> tuple[Number, ...] | None:
    """The number that the last sentence with numbers gives as its result, with all that are enumerated beside it.

    None without numbers. What stands in an adjunct ("in 4 days", "of the 40", "at $2 each"), in brackets, or on the left
    of "=" is no result, unless there is no other number.
    """
    tail, places = _passage(text)
    return _said_in_sentence(tail, places) if places else None


@lru_cache(maxsize=64)
def _passage(text: str) -> tuple[str, list[_Found]]:
    """The end of a text in plain spelling, and the numbers in it."""
    tail = text[-TAIL:]
    if len(text) > TAIL:
        tail = tail[re.search(r"\s|$", tail).start() :]  # type: ignore[union-attr]
    tail = plain(_BOLD_MARK.sub("", tail))
    if not _DIGIT.search(tail):
        tail = in_digits(tail)
    tail = _without_explanation(tail)
    return tail, _find(tail)


_EXPLAINED = re.compile(
    r"(?<=[\d\w])(?:\s?\(?\s?=|\s?[,(–—-]{1,2}\s?(?:i\.e\.|that\sis|namely),?|\s?[:：])\s?[$(]?\d[\d.,]{0,20}(?:\s?[-+*×x/÷]\s?\$?\d[\d.,]{0,20}){1,8}\s?[).]{0,2}\s?$"
)
"""After a number: how it came about ("36 = 4 * 9")."""


def _without_explanation(text: str) -> str:
    if text.rstrip(" .)")[-1:].isdigit() and (place := _EXPLAINED.search(text, max(0, len(text) - 240))) is not None:
        return text[: place.start()]
    return text


def _said_in_sentence(text: str, found: list[_Found]) -> tuple[Number, ...]:
    """The result that the last sentence with numbers gives."""
    if len(found) == 1 and not text[: found[0].start].strip(" $€£¥*\n"):
        found = [_with_noun(text, found[0])]
    kept = found[-16:]
    stretch = text[max(0, kept[0].start - 60) :].casefold()
    if _DENIAL_STEMS.stand_in(stretch) and _DENIES.search(stretch):
        kept = [one for one in kept if not denied(text, one.start) and not _DENIED.match(text, one.end)]
    if not kept:
        return (DENIED,)
    if guesses := _recited(text, kept):
        return tuple(one.number for one in guesses)
    enumerated = _chain(text, kept, len(kept) - 1, -1)
    if len(enumerated) > 1:
        return tuple(_restated([one.number for one in reversed(enumerated)]))
    index = _result(text, kept)
    one = kept[index]
    if (_OPERATOR.match(text, one.end) and "=" not in text[one.end :]) or _COEFFICIENT.match(text, one.end):
        return (NOT_A_NUMBER,)
    if _AFTER_OPERATOR.search(text[max(0, one.start - 24) : one.start]):
        return (NOT_A_NUMBER,)  # 1 + 18
    if _AFTER_VARIABLE.search(text[max(0, one.start - 4) : one.start]):
        return (NOT_A_NUMBER,)  # 2n - 2
    token = _token_around(text, one).rsplit("=", 1)[-1]
    if _IN_FORMULA.search(token):
        return (NOT_A_NUMBER,)  # 10^{10^{10}}
    if (twice := _given_twice(text, kept, index)) is not None:
        return (twice,)
    around = [*reversed(_chain(text, kept, index, -1)), *_chain(text, kept, index, 1)[1:]]
    return tuple(_restated([other.number for other in around]))


_AFTER_OPERATOR = re.compile(r"[\d)}]\s*+[+*×/÷]\s*+(?:[$€£¥]\s*+)?$")
_AFTER_VARIABLE = re.compile(r"(?<![a-zA-Z])[a-zA-Z]\s?[-+*/]\s?$")
_IN_FORMULA = re.compile(r"\^|![\w)!(]|\\(?:sqrt|frac|log|sin|cos|tan)")
_THAT_IS = re.compile(
    r"[\s,;]{0,2}\(?(?:i\.e\.|that is|which is|or|=|equivalently|namely)?[\s,]{0,2}(?:about|approximately|roughly|around|nearly|almost)?\s?"
)


def _given_twice(text: str, kept: list[_Found], index: int) -> Number | None:
    """The quantity that is given in two units or as a share and in percent: "1500 ml, i.e. 1.5 litres", "1/5, i.e. 20%"."""
    for left, right in ((index, index + 1), (index - 1, index)):
        if left < 0 or right >= len(kept) or not _THAT_IS.fullmatch(text, kept[left].end, kept[right].start):
            continue
        one, other = kept[left].number, kept[right].number
        if len(merged := _restated([one, other])) == 1:
            return merged[0]
        if (
            one.unit is None
            and other.unit is None
            and one.values != other.values
            and set(one.values) & set(other.values)
        ):
            return one._replace(values=tuple(dict.fromkeys((*one.values, *other.values))))
    return None


_SENTENCE_END = re.compile(r"[.!?。！？\n](?:(?<=[。！？\n])|(?=\s|$)(?<![\s.(][a-zA-Z].)(?<!\be\.g.)(?<!\bi\.e.))")
_CONCLUSION = re.compile(
    r"\b(?:so|therefore|thus|hence|leaving|making|giving|meaning|which (?:means|makes|gives|leaves)|that (?:means|makes|leaves))\b|所以|因此|于是",
    re.I,
)
_AFTERTHOUGHT = re.compile(
    r"\b(?:since|because|as|weil|porque|parce que|given that)\b(?!\s+(?:much|many|well|far|long)\b)|因为", re.I
)
_ADJUNCT = re.compile(
    r"\b(?:(?:in|at|after|for|within|over|during|before|until|by|from|than|across|among|between|throughout|für|nach|pro|je|innerhalb|pour|dans|après|par|en|para|por|cada|tras|entre)\s+(?:(?:the|all|only|just|about|his|her|their|its|those|these|next|first|last|another|every|each|a total of)\s+){0,3}"
    r"|(?:each|every|per)\s+"
    r"|(?:of|out of|with|on|to|de|von|des|di|da|do|от|из)\s+(?:the|all|his|los|las|les|den|der|gli|dei|delle|her|their|its|those|these)\s+(?:(?:original|initial|first|total|remaining|other|given)\s+)?|out of\s+"
    r"|(?<!\bneed)(?<!\bneeds)(?<!\bhas)(?<!\bhave)(?<!\bhad)(?<!\bable)(?<!\bgoing)(?<!\bwants)(?<!\bused)(?<!\bgets)\s+to\s+(?!(?:be|get|obtain|find|give|yield|reach)\b)[a-z]{3,12}\s+(?:(?:the|these|all|those|another)\s+)?"
    r"|(?:i\.e\.|that is|which is|equivalently|namely)\s?,?\s?(?:about\s|roughly\s)?|\bor\s+(?:about|approximately|roughly|around|nearly)\s+)$",
    re.I,
)
_BRACKET = re.compile(r"\((?:(?:about|approximately|roughly|nearly|i\.e\.,?|or|that is,?|=) ?)?[$€£¥]?$")
_OF_A_NUMBER = re.compile(
    r"(?<=\d)(?:\s[^\W\d_]{1,14}){0,2}\s(?:of|de|von|des|sur)(?:\s(?:the|los|las|les|den|der))?\s[$€£¥]?$", re.I
)
"""Before a number: it is the whole of which the number before it is a part ("285 of 360")."""
_IN_EACH = re.compile(r"\s(?:[^\W\d_]{2,12}\s){0,2}(?:in|on|for|per|to)\s(?:each|every)\b")
_EACH = re.compile(
    r"\s*(?:each|apiece|per\s+\w+|an?\s+(?:piece|day|week|month|year|hour|ticket|pound|box|bag))\b", re.I
)
_MONEY = re.compile(r"[$€£¥₹]\s?$")


def _result(text: str, kept: list[_Found]) -> int:
    """Which of the numbers is the result of its sentence; the last one where nothing tells."""
    last = len(kept) - 1
    if last == 0:
        return 0
    start = 0
    for match in _SENTENCE_END.finditer(text, 0, kept[-1].start):
        start = match.end()
    candidates = [index for index in range(max(0, last - 12), last + 1) if kept[index].start >= start]
    if len(candidates) < 2:
        return last
    for boundary in (_CONCLUSION, None):
        cut = start
        if boundary is None:
            cut = text.rfind("=", start, kept[-1].start) + 1
        else:
            for match in boundary.finditer(text, start, kept[-1].start):
                cut = match.end()
        if later := [index for index in candidates if kept[index].start >= cut]:
            candidates = later
    reason = _AFTERTHOUGHT.search(text, kept[candidates[0]].end, kept[-1].start)
    if reason is not None:
        candidates = [index for index in candidates if kept[index].end <= reason.start()]
    results = [index for index in candidates if not _is_aside(text, kept[index])] or candidates
    # "= 18 vlogs to complete the 72": what follows "=", unless another clause begins
    follows_sign = len(results) > 1 and text[: kept[results[0]].start].rstrip(" $€£¥*").endswith("=")
    if follows_sign and not re.search(r"[,;:]", text[kept[results[0]].end : kept[results[1]].start]):
        return results[0]
    return results[-1]


def _is_aside(text: str, one: _Found) -> bool:
    """Does the number stand in an adjunct, in brackets or as an operand?"""
    before = text[max(0, one.start - 60) : one.start]
    bare = _MONEY.sub("", before)
    if _BRACKET.search(before) and ")" in text[one.end : one.end + 40]:
        return True
    if _OPERATOR.match(text, one.end) and "=" in text[one.end : one.end + 80]:
        return True
    if _IN_EACH.match(text, one.end) or _OF_A_NUMBER.search(before):
        return True
    match = _ADJUNCT.search(before)
    if match is None and bare != before:
        match = _ADJUNCT.search(bare)
        # "for $18", "brings in $18": money is mostly the result.
        kind = match.group().split(None, 1)[0].lower() if match is not None else ""
        return kind in ("each", "every", "per", "than", "of", "out", "at") or _EACH.match(text, one.end) is not None
    return match is not None


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
    r"\s*[%°$€£¥₹)]?(?:(?:[^\W\d_]{2,20}[²³]?|[\u3040-\u9fff\uac00-\ud7a3]|\s[a-zA-Z][²³]?)(?:[./-][^\W\d_]{1,12})?(?=[\s.)]|$)\s*){0,4}[.)]?\s*+"
)
"""What may stand around a reference's number: a few words, a currency, a unit (of one letter only after a space)."""


@lru_cache(maxsize=8192)
def read_reference(reference: str) -> Number | None:
    """The reference's number; None where the reference holds none, several, or an expression."""
    answer = tidy(plain(final_part(reference))).strip()
    # One sign in front is a currency; others are LaTeX's.
    answer = answer if answer.startswith("$") and answer.count("$") == 1 else answer.strip("$ ")
    if not _DIGIT.search(answer) and len(answer) <= 80:
        answer = in_digits(answer)
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
        if _BEFORE.fullmatch(before) and _AFTER.fullmatch(after) and not _NOT.search(before):
            return _with_noun(answer, found[0]).number
    return None


_LISTED = re.compile(r"\[\s*+(['\"])([^'\"]*+)\1\s*+\]")


def final_part(reference: str) -> str:
    """The final answer inside a reference, also where one sentence leads to it ("15 times 20 is 300, so the answer is 300.")
    or where it is a list of one text (["18"])."""
    answer = reference_answer(reference)
    if listed := _LISTED.fullmatch(answer.strip()):
        answer = listed[2]
    if len(answer) > 24 and "nswer" in answer:
        cued = claims(answer).cued
        if len(cued) == 1 and answer.rstrip(". ").endswith(cued[0].rstrip(". ")):
            return cued[0]
    return answer


def same_number(claimed: Number, wanted: Number) -> bool:
    """Equal in some reading of both, under the tolerance and in the units that this module states."""
    return compare_numbers(claimed, wanted) is True


def compare_numbers(claimed: Number, wanted: Number) -> bool | None:
    """Are two numbers the same quantity? None where the values are equal and what they count may differ, or where the claim
    is right in another unit than the one asked for."""
    scale: Fraction | None = None
    if claimed.unit is not None and wanted.unit is not None:
        conversion = ratio(claimed.unit, wanted.unit)
        if conversion is None:
            return False
        scale = conversion if conversion != 1 else None
    # Two that both carry a unit of scale are compared with it: 3 thousand is not 3 million.
    both_scaled = len(claimed.values) > 1 and len(wanted.values) > 1
    for value in claimed.values[:1] if both_scaled or scale is not None else claimed.values:
        got = value if scale is None else value * scale
        for want in wanted.values[:1] if both_scaled else wanted.values:
            if got == want or _rounds_to(got, claimed.decimals, want, wanted.decimals):
                return None if claimed.converted and wanted.unit is None else _same_noun(claimed, wanted)
    for one, other in ((claimed, wanted), (wanted, claimed)):
        # 12.345 is twelve thousand to some, a little more than twelve to others.
        if one.decimals == 3 and other.decimals <= 0 and one.values and 1000 * one.values[0] in other.values:
            return None if abs(one.values[0]) >= 1 else False
    return False


_OPPOSITE_PAIRS = """
odd even|loss profit|loss gain|loses gains|lost gained|lost won|lose win|left right|north south|east west|up down
upward downward|upwards downwards|increase decrease|rise fall|higher lower|more less|more fewer|am pm|positive negative
above below|before after|early late|earlier later|minimum maximum|min max|bc ad|bce ce|debit credit|deposit withdrawal
surplus deficit|clockwise counterclockwise|clockwise anticlockwise|inside outside|older younger|taller shorter
longer shorter|faster slower|boys girls|men women|male female|true false|yes no|heads tails|win loss|wins losses
forward backward|forwards backwards|ahead behind|rational irrational|prime composite
"""
_OPPOSITES = frozenset(frozenset(pair.split()) for pair in re.split(r"[|\n]", _OPPOSITE_PAIRS.strip()))


def _same_noun(claimed: Number, wanted: Number) -> bool | None:
    """Do two numbers of equal value count the same? Opposite words differ; plurals are names for what was asked."""
    if claimed.unit is not None or wanted.unit is not None or not claimed.noun or not wanted.noun:
        return True
    one, other = claimed.noun.replace(".", "").split(), wanted.noun.replace(".", "").split()
    if any(frozenset((left, right)) in _OPPOSITES for left in one for right in other):
        return False
    if any(left[:4] == right[:4] for left in one for right in other):
        return True
    return True if all(words[-1].endswith("s") or not words[-1].isascii() for words in (one, other)) else None


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
        reading = read_numbers(text, sample.prompt)
        numbers = reading.numbers
        if not numbers:
            return ok(0.0, "no number found" if text else "no answer")
        verdict = all_equal(numbers, targets)
        if verdict is None:
            return abstain("the same number, of other things or in another unit than the one asked for")
        if any(all_equal([rival], targets) != verdict for rival in rivals(reading, sample.prompt)):
            return abstain("no cue tells which of several numbers is the answer", readers_disagree=True)
        if not verdict and any(all_equal([one], targets) for one in stated_numbers(reading)):
            return abstain(
                "the reference is stated, and it cannot be read whether it is the answer", readers_disagree=True
            )
        if not verdict:
            several = len({number.values for number in numbers}) > 1
            return ok(0.0, "several different answers" if several else "another number")
        return ok(1.0, "the same number")


_ASKED_UNIT = re.compile(
    r"\bhow many ([a-zA-Z]+(?: (?:inches|feet|met[er]{2}s|cent[a-z]+|miles|yards))?)\b|\b(?:in|into) ([a-zA-Z°]+(?:/[a-z]+)?)\b",
    re.I,
)


@lru_cache(maxsize=4096)
def asked_unit(prompt: str) -> Unit | None:
    """The one unit that the prompt's last question asks for ("how many minutes", "in cm"); None where it names none or two."""
    question = re.split(r"(?<=[.!?])\s", prompt[-1000:].rstrip())[-1]
    units = {unit for match in _ASKED_UNIT.finditer(question) if (unit := read_unit(match[1] or match[2]))}
    return units.pop() if len(units) == 1 else None


_SEVERAL_RESULTS = re.compile(
    r"\b(?:leav(?:es?|ing)|while|whereas|keep(?:s|ing)?|remaining|th(?:e|ose)\s+(?:other|rest)|übrig|quedan?|restent?)\b",
    re.I,
)
"""What may stand between two results that a sentence gives."""
_REMAINDER = re.compile(r"\s*(?:that|this|it|which|he|she|they|the\s+(?:remaining|other|rest))\b", re.I)
"""How a sentence begins that goes on from the result before it."""
_SUBJECT = re.compile(
    r"\s*(?:is|are|was|were|remains?|stay|would\s+be|ist|sind|bleiben|es|son|quedan?|est|sont|restent?)\b", re.I
)
"""After the number that a sentence begins with: the sentence is about it."""
_NO_OPENING = re.compile(r"[=:?]|^\W*\d{1,2}[.)]\s*$")
_SUPPOSES = re.compile(
    r"[\s(]*(?:if|had|without|otherwise|wenn|si|se|если|如果)\b(?=[^.!?\n]{0,160}\b(?:would|wäre|serait|sería|sarebbe|seria)\b)",
    re.I,
)
"""A sentence that begins so may suppose what is not so."""


class Reading(NamedTuple):
    """The numbers that a text puts forward."""

    numbers: list[Number]
    """In the prompt's unit, where it names one; empty without a number."""
    uncued: Parts | None = None
    """The text taken apart, where no cue says which of its numbers is meant: `rivals` reads it a second time."""
    in_bold: bool = False


def read_numbers(text: str, prompt: str = "") -> Reading:
    """Every number that the strongest readable tier of claims of a text (see `visible_answer`) puts forward."""
    tiers = claims(text)
    claimed = read_tier((tiers.boxed, tiers.final, tiers.cued), lambda claim: claimed_number(continued(claim, text)))
    uncued, in_bold = None, False
    if not claimed:
        uncued = parts_of(text)
        if len(tiers.bold) == 1:
            claimed = read_tier((tiers.bold,), last_number)
            in_bold = bool(claimed)
        if not claimed and (last := last_number(uncued.main)) is not None:
            claimed = [last]
    numbers = [number for claim in claimed for number in claim]
    if prompt and any(number.unit is not None for number in numbers) and (asked := asked_unit(prompt)) is not None:
        numbers = [_in_unit(number, asked) for number in numbers]
    return Reading(numbers, uncued, in_bold)


@lru_cache(maxsize=1024)
def _given(prompt: str) -> frozenset[tuple[Fraction, ...]]:
    """The values of the numbers that a prompt holds."""
    return frozenset(one.number.values for one in _find(plain(prompt[-4000:])))


def rivals(reading: Reading, prompt: str) -> Iterator[Number]:
    """The numbers that a second reader of a text without a cue may take for its answer."""
    if reading.uncued is None:
        return
    main, explanation = reading.uncued
    result = claimed_number(last_result(main)) or ()
    if len(result) == 1 and result[0].values:
        yield result[0]
        if all(number.values[:1] == result[0].values[:1] for number in reading.numbers):
            return  # both readers agree
    if reading.in_bold:
        return
    if explanation and (result := claimed_number(last_result(explanation)) or ()) and len(result) == 1:
        yield result[0]
    text, places = _passage(main)
    if len(places) < 2:
        return
    spans = _sentences_of(text, places)
    given = _given(prompt)

    def results(start: int, end: int) -> list[Number]:
        """The numbers of a stretch that the prompt does not hold and that are no operands or asides."""
        return [
            one.number
            for one in places[-16:]
            if start <= one.start < end
            and one.number.values not in given
            and not _OPERATOR.match(text, one.end)
            and not _is_aside(text, one)
            and not denied(text, one.start)
            and not _DENIED.match(text, one.end)
        ]

    start, end = spans[-1]
    if len(spans) > 1 and _REMAINDER.match(text, start):
        start = spans[-2][0]
    sentence = text[start:end]
    if "=" not in sentence and _SEVERAL_RESULTS.search(sentence) and not re.search(r"\bso\b", sentence):
        stated = results(start, end)
        if len({number.values for number in stated}) > 1:
            yield from stated
    if "=" not in sentence and all(number.values in given for number in reading.numbers):
        # What the prompt holds is seldom its answer, where the text has come to another number.
        yield from results(spans[-2][0] if len(spans) > 1 else start, end)
    if len(spans) > 1 and len(main) <= TAIL and not denied(text, places[0].start):
        opening = text[slice(*spans[0])]
        sentences = any(len(text[slice(*span)].split()) > 4 for span in spans[1:])
        if (
            sentences
            and len(opening.split()) <= 4
            and not _NO_OPENING.search(opening)
            and not CORRECTION.search(text, spans[1][0])
        ):
            yield places[0].number
    if _SUPPOSES.match(text, spans[-1][0]) and "=" not in text[spans[-1][0] :] and len(spans) > 1:
        before = [one for one in places if one.start < spans[-1][0]]
        yield from _said_in_sentence(text[: spans[-1][0]], before)
    first = next((one for one in places if one.start >= spans[-1][0]), None)
    if (
        first is not None
        and not text[spans[-1][0] : first.start].strip(" $€£¥*(")
        and _SUBJECT.match(text, first.end)
        and not _CONCLUSION.search(text, first.end)
    ):
        yield first.number


def _sentences_of(text: str, places: Sequence[_Found]) -> list[tuple[int, int]]:
    """Where the sentences with numbers start and end."""
    ends = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    after = dict.fromkeys(bisect_right(ends, one.start) for one in places)
    return [(ends[index - 1], ends[index]) for index in after]


def stated_numbers(reading: Reading) -> list[Number]:
    """The other numbers that the last sentence of a text without a cue and a sum states; neither denied nor reckoned with."""
    if reading.uncued is None or len({number.values for number in reading.numbers if number.values}) != 1:
        return []
    text, places = _passage(reading.uncued.main)
    read = {number.values for number in reading.numbers}
    if not places or any(number.converted for number in reading.numbers):
        return []
    last, _ = _sentences_of(text, places[-1:])[0]
    if "=" in text[last:] or _WORD.search(text, last) is None:
        return []
    return [
        one.number
        for one in places[-16:]
        if one.start >= last
        and one.number.values not in read
        and not _OPERATOR.match(text, one.end)
        and not _REACHED_BY.search(text, max(0, one.start - 12), one.start)
        and not denied(text, one.start)
        and not _DENIED.match(text, one.end)
    ]


_WORD = re.compile(r"[^\W\d_]{2}")
_REACHED_BY = re.compile(r"[-+*/×÷−]\s{0,2}[$€£¥(]?$")


def _in_unit(number: Number, unit: Unit) -> Number:
    """The number in a unit, where it has another one of the same dimension."""
    conversion = ratio(number.unit, unit) if number.unit is not None else None
    if conversion in (None, 1) or len(number.values) > 1:
        return number
    assert conversion is not None
    return number._replace(values=(number.values[0] * conversion,), unit=unit, converted=True)


_OPEN_ENDED = re.compile(r"(?:[:：]|\b(?:is|are|be|equals|get|to|as follows))\W*$")


def continued(claim: str, text: str) -> str:
    """A claim that breaks off before its value ("The sum of the roots is:"), with the line of `text` that follows it."""
    if not _OPEN_ENDED.search(claim):
        return claim
    _, found, rest = text.partition(claim)
    lines = [line.strip() for line in rest[:2000].split("\n")] if found else []
    for line in lines[1:]:
        if line.strip("$\\[]()`*_> "):
            return f"{claim} {line.lstrip('> ')}"
    return claim


def all_equal(numbers: Sequence[Number], targets: Sequence[Number]) -> bool | None:
    """Is every number one of the targets? None where that cannot be decided for one and holds for the others."""
    verdicts = []
    for number in numbers:
        compared = [compare_numbers(number, target) for target in targets]
        verdicts.append(True if True in compared else None if None in compared else False)
    return False if False in verdicts else None if None in verdicts else True
