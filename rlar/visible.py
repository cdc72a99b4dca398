"""What a person can see of a text: the one definition behind "empty answer", cleaned answers and safe terminals."""

from __future__ import annotations

import re

CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff"
"""C0 and C1 controls that are no white space, and lone surrogates; for a character class of `re`."""
IGNORABLE = (
    # Unicode's Default_Ignorable_Code_Point: joiners, bidirectional controls, variation selectors, fillers, tags ...
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    # other format controls (general category Cf), but for the Arabic and Indic ones that are drawn around digits
    "\ufff9-\ufffb\U00013430-\U0001343f"
    # noncharacters
    "\ufdd0-\ufdef\ufffe\uffff" + "".join(chr(plane + last) for plane in range(0x10000, 0x110000, 0x10000)
                                          for last in (0xFFFE, 0xFFFF))
)  # fmt: skip
"""Characters that are drawn as nothing at all; for a character class of `re`."""
_BLANK = "\u2800\U00013441\U00013442\U00016fe4\U0001d159"
"""Signs whose drawing is empty: the Braille cell without dots, blank hieroglyphs, a filler, a notehead without a head."""

_VISIBLE = re.compile(f"[^\\s{CONTROLS}{IGNORABLE}{_BLANK}]")


def is_visible(text: str) -> bool:
    """Does the text hold anything that a person can see? White space, controls and format characters are nothing.

    Only whole texts are judged: joiners inside emoji or Persian and Indic words are parts of what is seen.
    """
    return _VISIBLE.search(text) is not None
