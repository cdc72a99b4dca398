"""What a person can see: checked against Unicode's own properties."""

from __future__ import annotations

import re
import sys
import unicodedata

import pytest

from rlar.visible import CONTROLS, IGNORABLE, is_visible

SEEN = ["a", "0", ".", "é", "e\u0301", "👨\u200d👩\u200d👧", "❤\ufe0f", "می\u200cخواهم", "क्\u200dष", "שלום", "مرحبا", "한글",
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", "⠓⠊⠀⠞⠓⠑⠗⠑", "\u202eabc", "x\u00ad", "\u0600\u0661",
        "\u06dd", "\ue000"]  # fmt: skip

DRAWN_EMPTY = "\u2800\U00013441\U00013442\U00016fe4\U0001d159"
"""Letters and symbols by category; their charts show an empty cell."""


@pytest.mark.parametrize("text", SEEN)
def test_text_with_something_to_see_is_visible_whatever_joins_it(text: str):
    assert is_visible(text)
    assert is_visible(f"\u200b\n{text}\ufeff\x00")


def test_no_control_format_space_or_ignorable_character_is_visible():
    regex = pytest.importorskip("regex")
    nothing = regex.compile(
        r"[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cs}\p{Z}\p{White_Space}\p{Noncharacter_Code_Point}"
        r"[\p{Cf}--\p{Prepended_Concatenation_Mark}]]", regex.V1
    )  # fmt: skip
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        seen = nothing.match(character) is None and character not in DRAWN_EMPTY
        assert is_visible(character) == seen, f"U+{code:04X} {unicodedata.name(character, '')}"


def test_the_classes_are_classes():
    assert re.fullmatch(f"[{CONTROLS}]+", "\x00\x1b\x7f\x9f\ud800") and not re.search(
        f"[{CONTROLS}]", "\t\n\r a\x85\u2028"
    )
    assert re.fullmatch(f"[{IGNORABLE}]+", "\u200b\u200d\u202e\u3164\ufeff\U000e0041\ufe0f")
