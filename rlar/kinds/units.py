"""Units of measurement: what a word after (or a sign before) a number names, and how two units compare.

The table holds what answers to word problems are given in. A word that is not in it is a noun ("apples"), not a unit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple


class Unit(NamedTuple):
    """A product of powers of base units, times a factor: km/h is metre^1 second^-1, times 5/18."""

    dimension: tuple[tuple[str, int], ...]
    factor: Fraction


# base unit: spelling ... = factor; ...  A plural "s" is understood for words of more than three letters.
_TABLE = """
metre: m metre meter 米 = 1; km kilometre kilometer 千米 公里 = 1000; dm decimetre decimeter 分米 = 1/10
metre: cm centimetre centimeter 厘米 = 1/100; mm millimetre millimeter 毫米 = 1/1000; in inch inches = 127/5000
metre: ft foot feet = 381/1250; yd yard yds = 1143/1250; mi mile = 201168/125
gram: g gram gramme 克 = 1; kg kgs kilogram kilo 千克 公斤 = 1000; mg milligram 毫克 = 1/1000; tonne 吨 = 1000000
gram: lb lbs pound = 45359237/100000; oz ounce = 45359237/1600000
second: s sec secs second 秒 秒钟 = 1; ms millisecond = 1/1000; min mins minute 分钟 = 60
second: h hr hrs hour 小时 = 3600; day 天 = 86400; week 周 星期 = 604800
month: month 个月 = 1; yr yrs year 年 = 12; decade = 120
metre3: l litre liter 升 = 1/1000; ml millilitre milliliter 毫升 = 1/1000000; gallon gal = 473176473/125000000000
metre3: quart = 473176473/500000000000; pint = 473176473/1000000000000; cup = 473176473/2000000000000
metre2: ha hectare = 10000; acre = 316160658/78125
usd: $ usd dollar = 1
eur: € eur euro = 1
gbp: £ gbp = 1
jpy: ¥ jpy yen = 1
cny: 元 yuan cny rmb 人民币 = 1
inr: ₹ inr rupee rs = 1
cent: cent ¢ = 1
degree: ° degree deg 度 = 1
celsius: °c celsius 摄氏度 = 1
fahrenheit: °f fahrenheit = 1
kelvin: kelvin = 1
radian: rad radian = 1
newton: newton = 1
joule: joule = 1; kj kilojoule = 1000
watt: watt = 1; kw kilowatt = 1000
volt: volt = 1
ohm: ohm = 1
pascal: pa pascal = 1; kpa = 1000
hertz: hz hertz = 1; khz = 1000; mhz = 1000000
calorie: calorie cal = 1; kcal = 1000
"""


def _rows() -> Iterator[tuple[str, Unit]]:
    for line in _TABLE.strip().splitlines():
        base, _, entries = line.partition(": ")
        name, power = (base[:-1], int(base[-1])) if base[-1].isdigit() else (base, 1)
        for entry in entries.split("; "):
            words, _, factor = entry.partition(" = ")
            for word in words.split():
                unit = Unit(((name, power),), Fraction(factor))
                yield word, unit
                if len(word) > 3 and word.isascii() and not word.endswith("s"):
                    yield word + "s", unit
    for word, over in (("mph", "mi/h"), ("kmh", "km/h"), ("kph", "km/h")):
        speed = read_unit(over)
        assert speed is not None
        yield word, speed


_UNITS: dict[str, Unit] = {}
_WORD = re.compile(
    r"(?P<shape>square|sq\.?|cubic|cu\.?|平方|立方)? ?(?P<word>°\s?[CcFf](?![a-z])|[$€£¥₹¢°]|[a-zA-Z]+|[\u4e00-\u9fff]+)\.?"
    r" ?(?:\^? ?\{? ?(?P<power>[-−]?[1-4²³]) ?\}?|(?P<named>squared|cubed))?"
)
_OVER = re.compile(r" ?(?:/|\bper (?:1 )?|\ban? (?=(?:hour|minute|second|day|week|month|year)\b)|每) ?")
_DEGREES_OF = re.compile(r"degrees?\s+(celsius|fahrenheit|centigrade|[CF]\b)", re.I)
_SHAPES = {"square": 2, "sq": 2, "cubic": 3, "cu": 3, "平方": 2, "立方": 3, "squared": 2, "cubed": 3, "²": 2, "³": 3}


@lru_cache(maxsize=4096)
def read_unit(text: str) -> Unit | None:
    """The unit that a whole text names ("cm^2", "square feet", "km per hour", "°C"), or None."""
    text = " ".join(text.split()).replace("centigrade", "celsius")
    if not text or len(text) > 48:
        return None
    text = _DEGREES_OF.sub(lambda match: "°c" if match[1][0] in "cC" else "°f", text)
    powers: dict[str, int] = {}
    factor = Fraction(1)
    for index, part in enumerate(_OVER.split(text)):
        single = _single(part.strip())
        if single is None or index > 2:
            return None
        sign = -1 if index else 1
        factor *= single.factor**sign
        for base, power in single.dimension:
            powers[base] = powers.get(base, 0) + sign * power
    dimension = tuple(sorted((base, power) for base, power in powers.items() if power))
    return Unit(dimension, factor) if dimension else None


def _single(text: str) -> Unit | None:
    match = _WORD.fullmatch(text)
    if match is None:
        return None
    word = match["word"].replace(" ", "")
    unit = _UNITS.get(word) or (_UNITS.get(word.lower()) if len(word) > 1 or word == "L" else None)
    if unit is None:
        return None
    power = _SHAPES.get((match["shape"] or "").rstrip("."), 1)
    if match["named"]:
        power *= _SHAPES[match["named"]]
    elif match["power"]:
        power *= _SHAPES.get(match["power"]) or int(match["power"].replace("−", "-"))
    return Unit(tuple((base, exponent * power) for base, exponent in unit.dimension), unit.factor**power)


_AFTER = re.compile(
    r"[ \u00a0]?-?((?:(?:square|sq\.?|cubic|cu\.?) )?(?:°\s?[CcFf](?![a-zA-Z])|[€£¥₹¢°]|[a-zA-Z]{1,12}|[\u4e00-\u9fff]{1,4})(?![a-zA-Z])"
    r"(?:\s?\^\s?\{?\s?-?[1-4]\s?\}?|[²³]|[23](?!\w)| squared| cubed)?"
    r"(?:\s?(?:/|per (?:1 )?|an? (?=(?:hour|minute|second|day|week|month|year)\b))\s?[a-zA-Z]{1,12}(?![a-zA-Z])(?:\^\s?\{?-?\d\}?|[²³])?)?)"
)
_WORD_AFTER = re.compile(r"[ \u00a0]?-?([€£¥₹¢°]|[a-zA-Z]{1,12}(?![a-zA-Z])|[\u4e00-\u9fff]{1,3})")


def unit_after(text: str, position: int) -> tuple[Unit, int] | None:
    """The unit that stands at a position (right after a number), with where it ends; None without one."""
    following = text[position : position + 1]
    if not following or following in ".,;:)]}!?=\n+*^_<>|&$":
        return None
    match = _AFTER.match(text, position)
    if match is None:
        return None
    unit = read_unit(match[1])
    if unit is not None and not (match[1] == "in" and text[match.end() : match.end() + 2].strip(". )")):
        return unit, match.end()
    if match[1] == "in":
        return None  # "18 in total"
    # "km in 3 hours" and "元钱": only the first word, or its first characters.
    word = _WORD_AFTER.match(text, position)
    if word is not None:
        if word[1] != "in" and (unit := read_unit(word[1])):
            return unit, word.end()
        if word[1][0] < "\u4e00":
            return None
        shorter = word[1][:-1]
        for size in range(len(shorter), 0, -1):
            if unit := read_unit(shorter[:size]):
                return unit, word.start(1) + size
        return None
    return None


def ratio(one: Unit, other: Unit) -> Fraction | None:
    """How many of `other` one of `one` is; None when they measure different things."""
    if one.dimension == other.dimension:
        return one.factor / other.factor
    bases = (one.dimension[0][0], other.dimension[0][0])
    if len(one.dimension) == len(other.dimension) == 1:
        if "degree" in bases and {"celsius", "fahrenheit"} & set(bases):
            return Fraction(1)
        if "cent" in bases and {"usd", "eur"} & set(bases):
            return Fraction(1, 100) if bases[0] == "cent" else Fraction(100)
    # 1 litre is a cubic decimetre: volumes are kept as lengths to the third.
    return None


_UNITS.update(_rows())
