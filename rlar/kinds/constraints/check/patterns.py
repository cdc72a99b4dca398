"""Checks of properties that every piece, or every word, must have."""

from __future__ import annotations

import re

from rlar.kinds.constraints.check import text as t
from rlar.kinds.constraints.check.amounts import divide
from rlar.kinds.constraints.check.verdict import EDGE, Verdict, opens
from rlar.types import JsonObject


def each(params: JsonObject, text: str) -> Verdict:
    """Whether every unit starts, or ends, alike."""
    pieces = divide(str(params["unit"]), text)
    if pieces is None:
        return Verdict(None, f"each {params['unit']} is not checkable")
    if not pieces:
        return Verdict(False, f"no {params['unit']}")
    wrong = [piece for piece in pieces if not _edge_ok(piece, params)]
    return Verdict(not wrong, f"{len(wrong)} of {len(pieces)} off" if wrong else "")


def _edge_ok(piece: str, params: JsonObject) -> bool:
    body = piece.strip(EDGE + "-•#+([")
    if "starts" in params:
        phrase = t.plain(str(params["starts"]))
        head = t.plain(re.sub(r"^\d+[.)]\s*", "", body))
        return head.startswith(phrase) if len(phrase) == 1 else opens(head, phrase)
    if params["ends"] == "<emoji>":
        return bool(t._EMOJI.search(piece.rstrip(" .!?")[-8:]))
    phrase, tail = t.plain(str(params["ends"])), t.plain(piece.rstrip(EDGE))
    return tail.endswith(phrase) or (phrase[-1:].isalnum() and tail.rstrip(".!?,;:").endswith(phrase))


_CONTRACTION = re.compile(
    r"\b\w+(?:n['’]t|['’](?:re|ve|ll|d|m))\b|\b(?:it|that|he|she|what|there|let|who|here)['’]s\b", re.IGNORECASE
)


def pattern(params: JsonObject, text: str) -> Verdict:
    """Whether the words of the text have a property, by its name."""
    name = params["name"]
    folded = [w.casefold() for w in re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", text)]
    if not folded and name != "no_space":
        return Verdict(False, "no words")
    match name:
        case "unique_words":
            return Verdict(len(set(folded)) == len(folded), f"{len(folded) - len(set(folded))} repeated")
        case "palindrome":
            return Verdict(any(len(w) >= 3 and w == w[::-1] for w in folded) or _phrase_palindrome(text), "")
        case "no_space":
            return Verdict(not re.search(r"\s", text.strip()), "")
        case "one_line":
            return Verdict("\n" not in text.strip(), "")
        case "no_contractions":
            return Verdict(_CONTRACTION.search(text) is None, "")
        case "same_first_and_last_word":
            return Verdict(folded[0] == folded[-1] and len(folded) > 1, f"{folded[0][:20]} … {folded[-1][:20]}")
        case "alliteration":
            letter = str(params.get("letter") or folded[0][0])
            return Verdict(all(w[0] == letter for w in folded), f"letter {letter}")
        case "words_in_square_brackets":
            rest = re.sub(r"\[[^\[\]\s]+\]", " ", text)
            return Verdict("[" in text and re.search(r"\w", rest) is None, "")
        case "bigrams_in_angle_brackets":
            inside = re.findall(r"<<([^<>\n]*)>>", text)
            rest = re.sub(r"<<[^<>\n]*>>", " ", text)
            return Verdict(
                bool(inside) and all(len(i.split()) == 2 for i in inside) and re.search(r"\w", rest) is None, ""
            )
        case "sentence_hyphens":
            return Verdict(re.search(r"[.!?]\s+\w", text) is None and re.search(r"[.!?]-\S", text) is not None, "")
    return Verdict(None, f"{name} is not checkable")


def _phrase_palindrome(text: str) -> bool:
    for sentence in t.sentences(text[:20_000])[:200]:
        letters = [c for c in sentence.casefold() if c.isalnum()]
        if len(letters) >= 5 and letters == letters[::-1]:
            return True
    return False
