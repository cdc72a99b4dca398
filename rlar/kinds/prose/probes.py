"""Probe material for texts with a reference: long answers, translations, summaries. Corruptions are graded, mild to grave."""

from __future__ import annotations

from dataclasses import replace

from rlar.kinds import material as dress
from rlar.kinds.material import Material, Notes, Row, Tried, normalised
from rlar.kinds.texts import (
    FILLER,
    OTHER_LANGUAGES,
    change_digits,
    drop_sentences,
    drop_words,
    half_of_another,
    keywords,
    replaced_words,
    sentences,
    shuffle_words,
    swap_entity,
)

SPRAYED = 5
"""Other rows' texts among which a right one is hidden."""
SHARES = (0.25, 0.5, 0.75)
"""Of what is wrong on the rungs of a ladder."""
LONGEST_SPRAYED = 1_000
"""Characters of a text that somebody would offer several versions of."""


def long_text(row: Row, notes: Notes) -> Material | None:
    """A reference text; what was dropped, swapped or shuffled must cost."""
    text = row.reference.strip()
    if not text:
        return None
    return Material(
        right=(dress.plain(text),),
        same=(dress.whitespace(text), dress.think(text), Tried("trailing_newlines", text + "\n\n")),
        wrong=tuple(_corruptions(row, text)),
        hacks=tuple(_hacks(row, text)),
        ladders=_ladders(row, text),
    )


def summary(row: Row, notes: Notes) -> Material | None:
    """A summary; copying the passage must not be worth more than summing it up."""
    base = long_text(row, notes)
    if base is None:
        return None
    passage = str(row.binding.get("passage") or row.example.text).strip()
    hacks = list(base.hacks)
    if len(passage) > 2 * len(row.reference):
        hacks.append(Tried("source_copied", passage))
        hacks.append(Tried("source_repeated", "\n".join((passage, passage))))
    extract = _extract(passage, row.reference)
    made_up = replaced_words(extract, row.peers[0], SHARES, row.rng) if extract and row.peers else []
    ladders = {**base.ladders, "extract_made_up": (extract, *made_up)} if made_up else base.ladders
    return replace(base, hacks=tuple(hacks), ladders=ladders)


def translation(row: Row, notes: Notes) -> Material | None:
    """A translation; the source copied, another language, and an answer instead of a translation must lose."""
    base = long_text(row, notes)
    if base is None:
        return None
    hacks = list(base.hacks)
    source = str(row.binding.get("source") or "").strip()
    if source and normalised(source) != normalised(row.reference):
        hacks.append(Tried("source_copied", source))
        hacks.append(Tried("source_quoted", f'"{source}"'))
    elif not source:
        notes.add("the source text is not bound: copying it was only tried by echoing the prompt")
    target = row.task.contract.target_language or str(row.binding.get("target_language") or "")
    languages = [code for code in sorted(OTHER_LANGUAGES) if code != target]
    if target:
        for code in row.rng.sample(languages, 2):
            hacks.append(Tried("other_language", OTHER_LANGUAGES[code]))
    hacks.append(
        Tried(
            "answered_instead",
            "Sure! That is an interesting topic. Here is what I can tell you: it depends on the context.",
        )
    )
    return replace(base, hacks=tuple(hacks))


def _corruptions(row: Row, text: str) -> list[Tried]:
    rng, made = row.rng, []
    for kind, changed, below in (
        ("sentence_dropped", drop_sentences(text, 0.01, rng), ""),
        ("sentences_dropped", drop_sentences(text, 0.6, rng), "sentence_dropped"),
        ("cut_short", drop_words(text, 0.25), ""),
        ("cut_to_a_quarter", drop_words(text, 0.75), "cut_short"),
        ("words_shuffled", shuffle_words(text, rng), ""),
        ("number_changed", change_digits(text, rng), ""),
        ("entity_swapped", swap_entity(text, row.peers, rng), ""),
    ):
        if changed is not None and normalised(changed) != normalised(text):
            made.append(Tried(kind, changed, below))
    known = {each.kind for each in made}
    made = [each if each.below in known else Tried(each.kind, each.text) for each in made]
    for peer in row.peers[:1]:
        # Half of this row's text, then another row's: worse than the whole, better than nothing.
        half = sentences(text)[: max(1, len(sentences(text)) // 2)]
        if len(half) < len(sentences(text)):
            made.append(Tried("ends_elsewhere", "\n".join((*half, peer))))
        half_right = half_of_another(text, peer)
        if half_right is None:
            made.append(Tried("near_miss", peer))
        else:
            # Half right is worth more than nothing: a tool that sees only whole successes teaches nothing on the way there.
            made += [Tried("half_right", half_right), Tried("near_miss", peer, "half_right")]
    return made


def _ladders(row: Row, text: str) -> dict[str, tuple[str, ...]]:
    """Between the reference and another row's text, where nothing is right and not everything is wrong."""
    ladders = {}
    for peer in row.peers[:1]:
        parts = [half_of_another(text, peer, 1 - share) for share in SHARES]
        if all(parts):
            ladders["rest_of_another"] = (*filter(None, parts), peer)
        if replaced := replaced_words(text, peer, SHARES, row.rng):
            ladders["words_of_another"] = (*replaced, peer)
    return ladders


def _extract(passage: str, reference: str) -> str:
    """The two sentences of a passage that are nearest to the reference; "" where it has too few to choose from."""
    parts = sentences(passage)
    if len(parts) < 4:
        return ""
    wanted = set(keywords(reference))
    best = sorted(range(len(parts)), key=lambda place: -len(wanted & set(keywords(parts[place]))))[:2]
    return " ".join(parts[place] for place in sorted(best))


def _hacks(row: Row, text: str) -> list[Tried]:
    rng = row.rng
    vocabulary = [word for peer in row.peers[:6] for word in peer.split()[:60]]
    rng.shuffle(vocabulary)
    hacks = []
    if len(vocabulary) > 12:
        hacks.append(Tried("vocabulary_soup", " ".join(vocabulary[: max(20, len(text.split()))])))
    if terms := keywords(row.example.text):
        hacks.append(Tried("keyword_stuffing", " ".join(terms * 4)))
    hacks.append(Tried("padding_only", " ".join(rng.sample(FILLER, len(FILLER))) * 4))
    others = row.peers[:SPRAYED]
    if len(others) > 1 and max(map(len, (text, *others))) <= LONGEST_SPRAYED:
        # One text a line, the right one neither first nor last: whoever lets any part count can be sprayed.
        spot = rng.randrange(1, len(others))
        hacks.append(Tried("spray_lines", "\n".join((*others[:spot], text, *others[spot:]))))
    return hacks
