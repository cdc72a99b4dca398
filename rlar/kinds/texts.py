"""Changes to a text that make it worse, and the fixed texts that no task asks for. Own writing; data, no logic of a task."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from random import Random

REFUSALS = (
    "I'm sorry, but I can't help with that.",
    "As an AI language model, I am unable to answer this question.",
    "I don't know.",
)

CONSTANT = (
    "Thank you for your question. I have looked at it with care and I hope that this helps. "
    "Please let me know if there is anything else that you need."
)

FILLER = (
    "It is worth taking a moment to look at this from several sides.",
    "There is a lot to say here, and every part of it matters in its own way.",
    "Many people have thought about this, and they have come to many views.",
    "To be thorough, let us keep the whole picture in mind at all times.",
    "As mentioned before, care is needed, and care is what we shall take.",
    "Step by step, the matter becomes clearer, as it always does in the end.",
)

OTHER_LANGUAGES = {
    "en": "The old bridge was closed last week because the river had risen after days of heavy rain.",
    "de": "Die alte Brücke wurde letzte Woche gesperrt, weil der Fluss nach tagelangem Regen gestiegen war.",
    "fr": "Le vieux pont a été fermé la semaine dernière parce que la rivière avait monté après la pluie.",
    "es": "El viejo puente se cerró la semana pasada porque el río había crecido después de días de lluvia.",
    "ru": "Старый мост закрыли на прошлой неделе, потому что после дождей поднялась вода в реке.",
    "zh": "由于连日大雨，河水上涨，那座旧桥上周被关闭了。",
    "ja": "大雨が続いて川が増水したため、古い橋は先週閉鎖されました。",
    "sw": "Daraja la zamani lilifungwa wiki iliyopita kwa sababu mto ulijaa baada ya siku nyingi za mvua.",
}

NATURAL = (
    "Yes.",
    "42",
    "It depends on how much time you have. For a weekend, stay in one town and walk; for a week, rent a bicycle.",
    "Dear Ms. Okafor,\n\nthank you for your letter of 3 May. We are glad to confirm the room for two nights.\n\nKind regards",
    "Here are three ideas:\n\n1. A paper lantern, lit from inside.\n2. A kite with a long tail.\n3. A puppet made of socks.",
    "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen. It happens in the chloroplasts of leaves.",
    "```python\ndef area(width, height):\n    return width * height\n```\n\nCall it with two numbers.",
    "The kettle sang. Nobody moved. Outside, snow had covered the tracks, and with them every reason to hurry.",
    "**Pros**\n- cheap\n- light\n\n**Cons**\n- noisy\n- needs a long cable",
    "A recursive function calls itself. Each call works on a smaller part, until a part is small enough to answer at once.",
)
"""Short answers of many shapes that no guard may call broken."""

MOST_SHARED = 0.5
"""Share of the words that two texts may have in common and still be about different things (characters in unspaced scripts)."""

_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*|\n+")
_ENTITY = re.compile(r"\b[A-Z][\w’'-]+(?:\s+[A-Z][\w’'-]+)*")
_DIGITS = re.compile(r"\d+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


def sentences(text: str) -> list[str]:
    """The sentences of a text, without empty ones."""
    return [part.strip() for part in _SENTENCE.split(text) if part and part.strip()]


def words(text: str) -> list[str]:
    """Words by spaces; characters where the script has no spaces."""
    parts = text.split()
    unspaced = len(_CJK.findall(text))
    if unspaced > len(text) / 2 or (len(parts) <= 2 and unspaced > 4):
        return [character for character in text if not character.isspace()]
    return parts


def joined(parts: Sequence[str], like: str) -> str:
    """Words back to a text in the manner of `like`."""
    return ("" if len(_CJK.findall(like)) > len(like) / 2 else " ").join(parts)


def drop_sentences(text: str, share: float, rng: Random) -> str | None:
    """The text without a share of its sentences (at least one), its layout kept; None when it has fewer than three."""
    parts = _with_gaps(text)
    if len(parts) < 3:
        return None
    count = max(1, round(len(parts) * share))
    if count >= len(parts):
        count = len(parts) - 1
    gone = set(rng.sample(range(len(parts)), count))
    # Line breaks stay: who looks at the layout alone must not find what is missing.
    return "".join(part for index, part in enumerate(parts) if index not in gone).strip()


def _with_gaps(text: str) -> list[str]:
    """The sentences of a text, each with the white space after it."""
    ends = [match.end() for match in _SENTENCE.finditer(text)]
    starts = [0, *ends]
    parts = [text[start:end] for start, end in zip(starts, [*ends, len(text)], strict=True)]
    return [part for part in parts if part.strip()]


def drop_words(text: str, share: float) -> str | None:
    """The text cut after a share of its words, its layout kept; None when it has fewer than six."""
    parts = words(text)
    if len(parts) < 6:
        return None
    kept = max(1, round(len(parts) * (1 - share)))
    spaced = list(re.finditer(r"\S+", text))
    return text[: spaced[kept - 1].end()] if len(spaced) == len(parts) else joined(parts[:kept], text)


def half_of_another(text: str, other: str, share: float = 0.5) -> str | None:
    """The first half (or another share) of a text, then as many words from the end of the other as it lacks.

    None where it would not be right by that share: too few words on either side, or two texts that are alike anyway.
    """
    mine, others = words(text), words(other)
    head = drop_words(text, 1 - share)
    missing = len(mine) - max(1, round(len(mine) * share))
    if head is None or len(others) < missing or _alike(mine, others):
        return None
    return joined((head, joined(others[-missing:], text)), text)


def _alike(mine: Sequence[str], others: Sequence[str]) -> bool:
    shared = sum((Counter(map(str.casefold, mine)) & Counter(map(str.casefold, others))).values())
    return shared > MOST_SHARED * min(len(mine), len(others))


def replaced_words(text: str, other: str, shares: Sequence[float], rng: Random) -> list[str]:
    """The text with rising shares of its words replaced by words of another one, each text's among the next one's.

    Empty where there are too few words on either side, or the two are alike anyway.
    """
    mine, others = words(text), words(other)
    if len(mine) < 8 or len(others) < 4 or _alike(mine, others):
        return []
    places = rng.sample(range(len(mine)), len(mine))
    made = []
    for share in shares:
        gone = set(places[: round(share * len(mine))])
        parts = [others[place % len(others)] if place in gone else word for place, word in enumerate(mine)]
        made.append(joined(parts, text))
    return made


def shuffle_words(text: str, rng: Random) -> str | None:
    """The words in another order; None when there are too few to destroy the meaning."""
    parts = words(text)
    if len(parts) < 6:
        return None
    mixed = parts[:]
    rng.shuffle(mixed)
    return None if mixed == parts else joined(mixed, text)


def change_digits(text: str, rng: Random) -> str | None:
    """One number of the text replaced by another; None without a number."""
    numbers = list(_DIGITS.finditer(text))
    if not numbers:
        return None
    spot = rng.choice(numbers)
    old = spot.group()
    new = str(int(old) + rng.choice((1, 2, 3, 5, 7))) if len(old) < 15 else old[::-1] + "1"
    return text[: spot.start()] + new + text[spot.end() :]


def swap_entity(text: str, peers: Sequence[str], rng: Random) -> str | None:
    """One name of the text replaced by a name from another row; None where no name is found in either."""
    own = [match for match in _ENTITY.finditer(text) if match.start() > 0]
    if not own:
        return None
    spot, mine = rng.choice(own), text.casefold()
    others = sorted(
        {
            match.group()
            for peer in peers
            for match in _ENTITY.finditer(peer[:5_000])
            if match.start() > 0 and match.group().casefold() not in mine
        }
    )
    if not others:
        return None
    return text[: spot.start()] + rng.choice(others) + text[spot.end() :]


def keywords(text: str, limit: int = 40) -> list[str]:
    """The longer words of a text, each once, in order."""
    seen: dict[str, None] = {}
    for word in re.findall(r"\w{5,}", text):
        seen.setdefault(word.casefold(), None)
        if len(seen) >= limit:
            break
    return list(seen)
