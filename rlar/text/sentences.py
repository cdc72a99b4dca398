"""Sentences: where one ends, and which of them are beside the point of a text that gives an answer.

All functions take arbitrary text, never raise, and run in linear time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

from rlar.text.stems import Stems

_SIGNS = "*_`#>~ \t\r\n"

_SPACED_END = r"\s(?:(?:(?<=[^\W\d_]{2}[.!?]\s)|(?<=[\d)$}\]*][.!?]\s))\s*(?![a-z]|[^\W\d_]{3,10}\s\d{4}\b)|(?<=\n))"
_SENTENCE_END = re.compile(_SPACED_END), re.compile(rf"(?<=[。！？])|{_SPACED_END}")
"""The first is several times faster: every match of it starts with white space."""
_DOTTED = re.compile(r"([^\W\d_]{1,6})\.\Z")
_ABBREVIATED_WORDS = """
st ste mt mts ft dr mr mrs ms prof sgt cpl pvt lt col gen maj capt cmdr adm rev hon gov sen rep pres jr sr vs nos vol inc
ltd co corp bros ave blvd rd dept univ assn fr br sta sto bl mme mlle hr fra ca approx ed eds trans op fig msgr supt
"""
_ABBREVIATIONS = frozenset(_ABBREVIATED_WORDS.split())
"""Words whose full stop ends no sentence."""


def pieces(text: str, dotted: frozenset[str] = frozenset()) -> list[str]:
    """Sentences and lines that say something. `dotted`: more abbreviations, folded and without their full stop."""
    parts: list[str] = []
    start = 0
    ends = _SENTENCE_END[not text.isascii() and ("。" in text or "！" in text or "？" in text)]
    for end in ends.finditer(text):
        word = _DOTTED.search(text, max(start, end.start() - 8), end.start())
        if word is None or "\n" in end[0] or not {word[1].casefold()} & (_ABBREVIATIONS | dotted):
            parts.append(text[start : end.start()])
            start = end.end()
    return [piece for piece in (*parts, text[start:]) if piece.strip(" \t*_`#>-=|")]


_ANY_DOTTED = re.compile(r"(?<!\w)([^\W\d_]{1,6})\.(?=\s\w)")


def dotted_words(text: str) -> frozenset[str]:
    """The words of a text (an accepted answer) with a full stop that does not end it, folded."""
    return frozenset(word.casefold() for word in _ANY_DOTTED.findall(text))


_ASIDE = re.compile(
    r"(?:^|[.!?]\s|[。！？])[\s*_#>(\[-]{0,8}(?:"
    r"(?P<why>(?:brief\s+|short\s+)?(?:explanation|reasoning|rationale|justification|why|erklärung|begründung|explication|explicación|spiegazione|explicação|解释|解析|解説|理由|пояснение|объяснение)\b[*_]{0,2}\s?[:：\n]|to\s+see\s+why\b|here(?:['’]s|\s+is)\s+(?:why|how)\b)"
    r"|(?:double[- ])?check(?:ing)?\b(?!\s+if)|to\s+(?:check|verify)\b|(?:quick\s+)?(?:verification|sanity\s+check|proof)\b|(?:one|we|you\s+can)\s+(?:checks?|verif(?:y|ies))\b|expanding\b[^.\n]{0,60}\b(?:confirms|gives)\b|let(?:['’]s|\s+me)\s+(?:verify|(?:double[- ])?check)\b|verify(?:ing)?\b"
    r"|probe\s?[:：]|vérification\b|comprobación\b|verifica\b|verificação\b|проверка\b|验算|检验|检查|検算|확인"
    r"|(?:please\s+)?note(?:\s+that|[:：])|n\.?b\.?[:：]"
    r"|i\s+hope\b|hope\s+this\b|let\s+me\s+know\b|feel\s+free\b"
    r")[^\n.!?。！？]{0,400}",
    re.I | re.M,
)
"""A sentence beside the point: it explains, checks or notes."""
_ASIDE_STEMS = Stems(
    "check", "verif", "expanding", "proof", "probe", "note", "n.b", "nb:", "hope", "let me know", "feel free", "explan", "explic", "reason", "rational", "justif", "why", "how", "erkl",
    "begr", "spieg", "解", "理由", "пояс", "объяс", "vérif", "comprob", "провер", "验算", "检", "検", "확인",
)  # fmt: skip
"""One of these stands in every text with an aside."""
CORRECTION = re.compile(r"\b(?:wait|oops|actually|mistake|wrong|incorrect|hmm|correction|instead)\b", re.I)


class Parts(NamedTuple):
    """A text without cue, taken apart."""

    main: str
    """What it says: the text without its asides; the whole text where nothing else is left."""
    explanation: str = ""
    """What follows the answer to explain it."""


def parts_of(text: str) -> Parts:
    """A text that `visible_answer` gave, without the sentences that only explain, check or note something."""
    kept: list[str] = []
    start = 0
    if not _ASIDE_STEMS.stand_in(text.casefold()):
        return Parts(text)
    while (aside := _ASIDE.search(text, start)) is not None:
        begin = aside.start() + (aside[0][:1] in ".!?。！？")
        if aside["why"]:
            if not text[:begin].strip(_SIGNS) or CORRECTION.search(text, begin):
                break
            return Parts("".join((*kept, text[start:begin])).strip(), text[begin:])
        end = text.find("\n", aside.end())
        end = len(text) if end < 0 else end
        if (stop := _ASIDE_END.search(text, aside.end(), end)) is not None:
            end = stop.end()
        if CORRECTION.search(text, begin, end):
            break
        kept.append(text[start:begin])
        start = end
    if not kept:
        return Parts(text)
    main = "".join((*kept, text[start:])).strip()
    return Parts(main if any(map(str.isalnum, main)) else text)


_ASIDE_END = re.compile(r"[.!?](?=[\s)]|$)[)\]]?|[。！？]")


_SIDE = re.compile(
    r"\bbecause\b|\bsince\b|,\s+as\b|\bdue\s+to\b|\bdespite\b|\balthough\b|\beven\s+though\b|\bthough\b|\brather\s+than\b|\binstead\s+of\b|\bwhile\b|\bwhereas\b|\bunlike\b"
    r"|\bcompared\s+(?:to|with)\b|\bas\s+opposed\s+to\b|,\s+(?:which|who|whose|where)\b|\bweil\b|\bobwohl\b|\bparce\s+que\b|\bbien\s+que\b|\bporque\b|\baunque\b|\bperché\b|\bsebbene\b|\bembora\b|因为|虽然|(?<=\w)\s+(?:over|than|before|ahead\s+of)\s",
    re.I,
)
"""What follows explains, and chooses nothing where something before it does."""
_CLAUSE_END = re.compile(r"[.!?;。！？；]\s?|\n|\b(?:so|therefore|hence|thus|but)\b")
_MOST_CLAUSES = 256


def side_clauses(text: str) -> Callable[[int], bool]:
    """Tells of a place in a text whether it stands in a clause that explains or concedes, beside the one that says something."""
    sides = [match.start() for match in islice(_SIDE.finditer(text), _MOST_CLAUSES)]
    ends = [match.end() for match in islice(_CLAUSE_END.finditer(text), _MOST_CLAUSES)]
    for side in sides:
        if not text[max((end for end in ends if end <= side), default=0) : side].strip():
            ends.append(text.find(",", side) + 1)  # "Although it is X, it is Y."

    def is_side(place: int) -> bool:
        begun = max((side for side in sides if side < place), default=-1)
        return begun > max((end for end in ends if end <= place), default=-1) and begun >= 0

    return is_side
