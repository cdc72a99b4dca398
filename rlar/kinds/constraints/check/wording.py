"""Checks of case, language, openings and endings."""

from __future__ import annotations

import re

from rlar.kinds.constraints.check import text as t
from rlar.kinds.constraints.check.verdict import EDGE, Verdict, opens
from rlar.text.language import identify
from rlar.types import JsonObject


def case(params: JsonObject, text: str) -> Verdict:
    """Whether all letters are lower or upper case, or all words are capitalised; open where words, not letters, are asked for."""
    wanted = params["case"]
    if wanted == "lower":
        return Verdict(text.islower(), "" if text.islower() else "has capitals")
    if wanted == "upper":
        return Verdict(text.isupper(), "" if text.isupper() else "has lower case")
    if wanted in ("title", "upper_or_title"):
        if text.isupper():
            return Verdict(wanted == "upper_or_title", "all capitals")
        initials = [w[0] for w in re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", text)]
        is_title = bool(initials) and all(not c.islower() for c in initials)
        if wanted == "upper_or_title":
            return Verdict(None if is_title else False, "capitalised words" if is_title else "has lower case")
        return Verdict(is_title, "" if is_title else "a word opens in lower case")
    return Verdict(None, f"case {wanted!r} is not checkable")


_SCRIPTS = {
    "zh": r"[\u4e00-\u9fff]", "ja": r"[\u3040-\u30ff]", "ko": r"[\uac00-\ud7af]", "ru": r"[\u0400-\u04ff]", "uk": r"[\u0400-\u04ff]",
    "bg": r"[\u0400-\u04ff]", "el": r"[\u0370-\u03ff]", "he": r"[\u0590-\u05ff]", "ar": r"[\u0600-\u06ff]", "fa": r"[\u0600-\u06ff]",
    "ur": r"[\u0600-\u06ff]", "hi": r"[\u0900-\u097f]", "mr": r"[\u0900-\u097f]", "ne": r"[\u0900-\u097f]", "bn": r"[\u0980-\u09ff]",
    "pa": r"[\u0a00-\u0a7f]", "gu": r"[\u0a80-\u0aff]", "ta": r"[\u0b80-\u0bff]", "te": r"[\u0c00-\u0c7f]", "kn": r"[\u0c80-\u0cff]",
    "ml": r"[\u0d00-\u0d7f]", "th": r"[\u0e00-\u0e7f]", "ka": r"[\u10a0-\u10ff]", "hy": r"[\u0530-\u058f]", "am": r"[\u1200-\u137f]",
    "km": r"[\u1780-\u17ff]", "my": r"[\u1000-\u109f]", "lo": r"[\u0e80-\u0eff]", "si": r"[\u0d80-\u0dff]",
}  # fmt: skip
_SAME = (
    {"no", "nb", "nn", "da"},
    {"hr", "sr", "bs", "sh"},
    {"id", "ms"},
    {"zh", "yue", "wuu"},
    {"tl", "fil", "ceb"},
    {"fa", "prs", "tg"},
    {"hi", "mr", "ne"},
    {"gl", "pt"},
)


def language(params: JsonObject, text: str) -> Verdict:
    """Whether the text is in a language (ISO 639-1 `code`); open for a few letters or an unsure guess."""
    code = str(params["code"])
    script = _SCRIPTS.get(code)
    letters = sum(1 for c in text[:4000] if c.isalpha())
    if not letters:
        return Verdict(None, "no letters to tell a language by")
    if script is not None:
        share = len(re.findall(script, text[:4000])) / letters
        if share < 0.25:
            return Verdict(False, f"{share:.0%} of the letters are in the script of {code!r}")
    if letters < 8 and script is None:
        return Verdict(None, f"{letters} letters tell no language")
    guess = identify(text)
    if guess.code == code or any({guess.code, code} <= group for group in _SAME):
        return Verdict(True, guess.code)
    # The opening may be a title or a name: ask again further on.
    middle = identify(text[len(text) // 3 :])
    if middle.code == code:
        return Verdict(True, middle.code)
    if letters < 15 or (guess.confidence < 0.35 and middle.confidence < 0.35):
        return Verdict(None, f"{guess.code} at {guess.confidence:.2f}")
    return Verdict(False, f"{guess.code}, not {code}")


def starts_with(params: JsonObject, text: str) -> Verdict:
    """Whether the text opens with one of the phrases, markup and quotation marks aside."""
    head = t.plain(text.lstrip(EDGE)[:2000])
    met = any(opens(head, t.plain(p.strip(EDGE) or p)) for p in params["phrases"])
    return Verdict(met, "" if met else "opens otherwise")


def ends_with(params: JsonObject, text: str) -> Verdict:
    """Whether the text closes with one of the phrases, markup and quotation marks aside."""
    tail = t.plain(text.strip().strip('"“”*_`').rstrip()[-3000:])
    for phrase in params["phrases"]:
        wanted = t.plain(phrase).strip('"')
        if tail.endswith(wanted):
            return Verdict(True)
        # One word may be followed by the sentence's full stop.
        if " " not in wanted and wanted[-1:].isalnum() and tail.rstrip(".!?*_'\"").endswith(wanted):
            return Verdict(True)
    return Verdict(False, "ends otherwise")


def quoted(params: JsonObject, text: str) -> Verdict:
    """Whether the whole text stands in quotation marks; open where the first ones close before the end."""
    stripped = text.strip()
    pairs = {'"': ('"“„', '"”“'), "'": ("'‘", "'’"), "«": ("«", "»")}
    first, last = pairs.get(str(params.get("mark", '"')), pairs['"'])
    met = len(stripped) > 1 and stripped[0] in first and stripped[-1] in last
    closing = next((at for at, character in enumerate(stripped[1:-1], 1) if character in first + last), None)
    if met and closing is not None and not stripped[closing - 1].isspace() and first[0] != "'":
        return Verdict(None, "opens and closes with quotation marks, but the first ones close before the end")
    return Verdict(met, "" if met else "not in quotation marks")


def postscript(params: JsonObject, text: str) -> Verdict:
    """Whether there is a P.S., or a P.P.S."""
    pattern = r"p\.\s?p\.\s?s" if str(params["marker"]).upper().count("P") == 2 else r"p\.\s?s\b"
    met = re.search(pattern, text.lower()) is not None
    return Verdict(met, "" if met else "no postscript")
