"""Breaking one constraint of a response that meets it, leaving the rest as it is where possible."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Any

from rlar.kinds.constraints.read import Constraint

_MORE = "The river kept moving past the old bridge"
_FOREIGN = {
    "en": "Le petit jardin se trouve derrière la vieille maison. Chaque matin beaucoup de gens vont au marché et achètent du pain.",
    "*": "The small garden lies behind the old house. Every morning many people walk to the market and buy some fresh bread there.",
}


def violate(constraints: Constraint | Sequence[Constraint], response: str, rng: random.Random) -> str | None:
    """The response with one of the hard constraints broken; None where none can be broken for certain."""
    several = [constraints] if isinstance(constraints, Constraint) else [c for c in constraints if c.strength == "hard"]
    for constraint in rng.sample(several, len(several)):
        broken = _break(constraint.kind, constraint.params, response, rng)
        if broken is not None and broken.strip() and broken != response:
            return broken
    return None


def _break(kind: str, p: dict[str, Any], text: str, rng: random.Random) -> str | None:
    match kind:
        case "count":
            return _break_count(p, text)
        case "letter_count":
            return _letters(p, text)
        case "keyword_count":
            return _keyword(str(p["keyword"]), p, text)
        case "include":
            if p.get("any"):
                for phrase in p["phrases"]:
                    text = _without(str(phrase), text)
                return text
            return _without(str(rng.choice(list(p["phrases"]))), text)
        case "exclude":
            return _inserted(str(rng.choice(list(p["phrases"]))), text)
        case "no_characters":
            mark = next((c for c in str(p["characters"]) if c not in " \n"), None)
            return _inserted_mark(mark, text) if mark else None
        case "characters":
            return text.translate({ord(c): None for c in str(p["characters"])})
        case "case":
            return _case(str(p["case"]), text)
        case "language":
            return _FOREIGN["en"] if p["code"] == "en" else _FOREIGN["*"]
        case "starts_with":
            return f"{_MORE}. {text}"
        case "ends_with":
            return f"{text} {_MORE} {'now' if str(p['phrases'][0])[-1:] in '.!?' else 'now.'}"
        case "quoted":
            stripped = text.strip()
            return stripped[1:-1] if len(stripped) > 2 else None
        case "postscript":
            cut = re.search(r"p\.\s?(?:p\.\s?)?s\b", text, re.IGNORECASE)
            return text[: cut.start()] if cut and text[: cut.start()].strip() else None
        case "title":
            return re.sub(r"<<|>>", "", text)
        case "sections":
            return re.sub(rf"\b{re.escape(str(p['marker']))}\s?\d+", "Next", text)
        case "parts":
            return text.replace(str(p["separator"]), "")
        case "paragraph_starts":
            return re.sub(rf"(?:^|(?<=\n)){re.escape(str(p['word']))}\b", "Elsewhere", text, flags=re.IGNORECASE)
        case "one_of":
            return "I would rather not say."
        case "repeat":
            rest = text[len(str(p["text"])) :].strip() if len(text) > len(str(p["text"])) + 3 else ""
            return rest or _MORE + "."
        case "structured":
            return _MORE + ":\n\n" + text + "\n\nI hope this helps, and do ask for more."
        case "contains_format":
            return re.sub(r"[|`#]|^[^\S\n]*+(?:[*+-]|\d+[.)])\s++|https?://", "", text, flags=re.MULTILINE)
        case "no_format":
            return (
                text
                + "\n\n"
                + {
                    "table": "| a | b |\n| --- | --- |\n| c | d |",
                    "code": "```\nx\n```",
                    "numbered_list": "1. One\n2. Two",
                    "bold": "**bold** word",
                }.get(
                    str(p["element"]),
                    "## More\n\n- one\n- two **bold** *slanted*\n\n1. One\n2. Two\n\n[x](https://example.org) <b>x</b>",
                )
            )
        case "each":
            return (
                f"{text} {_MORE}" + ("." if p.get("ends") != "." else "!")
                if p["unit"] == "sentence"
                else f"{text}\n\nQuiet {_MORE} here"
            )
        case "pattern":
            return _pattern(str(p["name"]), text)
    return None


_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'*])")


def _break_count(p: dict[str, Any], text: str) -> str | None:
    unit, low, high = str(p["unit"]), p.get("min"), p.get("max")
    if p.get("each") is not None:
        if high is not None and unit == "word":
            return f"{text} The river" + " and the river" * (int(high) // 3 + 2) + "."
        return None
    if low is not None and int(low) >= 1:
        fewer = _fewer(unit, int(low), p, text)
        if fewer is not None:
            return fewer
    return _beyond(unit, int(high), p, text) if high is not None else None


def _fewer(unit: str, low: int, p: dict[str, Any], text: str) -> str | None:
    match unit:
        case "word":
            words = list(re.finditer(r"\w+", text))
            return text[: words[low - 1].start()].rstrip() if 2 <= low <= len(words) else None
        case "sentence":
            parts = _SENTENCE_END.split(text)
            return " ".join(parts[: low - 1]) if 2 <= low <= len(parts) else None
        case "paragraph" | "stanza":
            return re.sub(r"(?<!\s)[^\S\n]*+\n\s*+", " ", text) if low >= 2 else None
        case "line":
            return " ".join(text.split()) if low >= 2 else None
        case "bullet":
            return re.sub(r"^[ \t]*[*•–-][ \t]+", "", text, flags=re.MULTILINE)
        case "numbered":
            return re.sub(r"^[ \t]*\d+[.)][ \t]+", "", text, flags=re.MULTILINE)
        case "highlight":
            return text.replace("*", "").replace("_", " ")
        case "placeholder":
            return text.replace("[", "").replace("]", "")
        case "capital_word":
            return text.lower()
        case "hashtag":
            return text.replace("#", "")
        case "heading":
            return re.sub(r"^#+\s*", "", text, flags=re.MULTILINE)
        case "character":
            return text[: low // 2].strip() if low >= 4 else None
        case "letter":
            return text[: low // 2].strip() if low >= 4 else None
        case "emoji":
            return "".join(c for c in text if ord(c) < 0x2600)
        case "question":
            return text.replace("?", ".")
        case "exclamation":
            return text.replace("!", ".")
        case "comma":
            return text.replace(",", "")
        case "digit":
            return re.sub(r"\d", "", text)
        case "link":
            return re.sub(r"https?://\S+|www\.\S+", "there", text)
        case "section":
            return " ".join(re.sub(r"[#*]", "", text).split())
    return None


def _beyond(unit: str, high: int, p: dict[str, Any], text: str) -> str | None:
    n = high + 2
    tail = {
        "word": " " + " ".join(["river"] * n), "sentence": f" {_MORE}." * n, "line": f"\n{_MORE}" * n, "bullet": f"\n* {_MORE}" * n,
        "numbered": "".join(f"\n{i}. {_MORE}" for i in range(1, n + 1)), "placeholder": " [name]" * n, "highlight": " *river*" * n,
        "capital_word": " RIVER" * n, "hashtag": " #river" * n, "emoji": " 😀" * n, "heading": "\n\n## River" * n, "question": "?" * n,
        "exclamation": "!" * n, "comma": ", river" * n, "digit": "7" * n, "link": " https://example.org" * n, "character": " river" * n, "letter": " river" * n,
    }  # fmt: skip
    if unit in ("paragraph", "stanza"):
        separator = str(p.get("separator") or "\n\n")
        joint = separator if separator == "\n\n" else f"\n\n{separator}\n\n"
        return text + f"{joint}{_MORE}." * n
    return text + tail[unit] if unit in tail else None


def _letters(p: dict[str, Any], text: str) -> str | None:
    letter = str(p["letter"])
    if p.get("max") is not None and not p.get("min"):
        return text + " " + (letter + " ") * (int(p["max"]) + 1)
    fewer = re.sub(re.escape(letter), "", text, flags=re.IGNORECASE)
    return fewer if int(p.get("min") or 0) >= 1 else None


def _keyword(keyword: str, p: dict[str, Any], text: str) -> str | None:
    if p.get("max") is not None:
        return text + f" {keyword}" * (int(p["max"]) + 1)
    return _without(keyword, text)


def _without(phrase: str, text: str) -> str:
    return re.sub(re.escape(phrase), "it", text, flags=re.IGNORECASE) if phrase.lower() not in "it" else text


def _inserted(phrase: str, text: str) -> str:
    gap = re.search(r"(?<=\w) (?=\w)", text)
    return f"{text[: gap.start()]} {phrase} {text[gap.end() :]}" if gap else f"{text} {phrase}"


def _inserted_mark(mark: str, text: str) -> str:
    gap = re.search(r"(?<=\w) (?=\w)", text)
    return text[: gap.start()] + mark + text[gap.start() :] if gap else text + mark


def _case(case: str, text: str) -> str | None:
    if not any(c.isalpha() for c in text):
        return None
    if case == "lower":
        return re.sub(r"[^\W\d_]", lambda m: m.group().upper(), text, count=1)
    if case == "title":
        return re.sub(r"(?<= )[^\W\d_]", lambda m: m.group().lower(), text, count=1)
    return text.lower()


def _pattern(name: str, text: str) -> str | None:
    match name:
        case "unique_words":
            return f"{text} {text}"
        case "alliteration" | "words_in_square_brackets" | "bigrams_in_angle_brackets" | "no_space":
            return f"{text} quiet {_MORE} again"
        case "same_first_and_last_word":
            return f"{text} otherwise"
        case "one_line":
            return f"{text}\n{_MORE}"
        case "no_contractions":
            return f"{text} It isn't over."
        case "palindrome":
            return re.sub(r"\b(\w)\w*\1\b", "it", text, flags=re.IGNORECASE)
    return None
