"""The wording that prompts of one task share, found without being told: "using the numbers … make …".

Rows without a reference that are asked in the same words, with other contents, are one task. A wording is those words in
order, with `…` where the rows differ; numbers always differ. It is plain text: readable in a registry, and what tells
the rows of such a task again (see `rlar.discover.row_router`).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rapidfuzz.distance import LCSseq

GAP = "…"
LEAST_TOKENS = 5
LEAST_BYTES = 20
"""In UTF-8: a character says more in scripts that need several bytes for one."""
LEAST_RUN = 3
"""One run of a wording has at least so many words: scattered articles and commas are no wording."""
HEAD_TOKENS = 240
TAIL_TOKENS = 120
"""Instructions stand at the beginning or the end of a prompt."""
SHARED_FIRST = 0.5
"""Share of the shorter of two prompts that is common when they found a wording."""
SHARED_LATER = 0.7
"""Share of a wording that a further prompt must contain."""
LEAST_SHARE = 0.3
"""Of the prompts' words: a phrase in a longer prompt about something else is not what the prompt asks."""
TRIED_GROUPS = 4

# Scripts without spaces are read character by character, so that their wordings can be told apart, too.
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\d]+|[^\w\s]", re.UNICODE)


class Worded(NamedTuple):
    """Prompts of one wording."""

    wording: str
    rows: tuple[int, ...]
    """Their places among the prompts, ascending."""


def find_wordings(texts: Sequence[str], *, support: int) -> list[Worded]:
    """The wordings that at least `support` of the prompts share, most prompts first; each prompt is in one at most.

    Depends on the order of the prompts in small ways: give them in an order of their contents, not of a file.
    """
    groups: list[_Skeleton] = []
    by_gram: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for row, text in enumerate(texts):
        tokens = _edges(_tokens(text))
        grams = _grams(tokens)
        shared = Counter(group for gram in grams for group in by_gram.get(gram, ()))
        for group, _number in sorted(shared.items(), key=lambda item: (-item[1], item[0]))[:TRIED_GROUPS]:
            if groups[group].take(row, tokens):
                break
        else:
            for gram in grams:
                by_gram[gram].append(len(groups))
            groups.append(_Skeleton.of(row, tokens))
    merged: dict[str, list[int]] = defaultdict(list)
    for skeleton in groups:
        wording = skeleton.wording() if len(skeleton.rows) > 1 else ""
        if wording and len(_TOKEN.findall(wording)) * len(skeleton.rows) >= LEAST_SHARE * skeleton.seen:
            merged[wording] += skeleton.rows
    wordings = [Worded(wording, tuple(sorted(rows))) for wording, rows in merged.items() if len(rows) >= support]
    return sorted(wordings, key=lambda item: (-len(item.rows), item.wording))


def normal_text(text: str) -> str:
    """A prompt as `matches` reads it: its words in lower case, one space between them and at both ends."""
    return f" {' '.join(_tokens(text))} "


def matches(wording: str, text: str) -> bool:
    """Whether a prompt (as `normal_text` gives it) has this wording: its runs in order, anchored where it says so."""
    return bool(wording) and _places(wording, text) is not None


def slots(wording: str, prompt: str) -> list[str] | None:
    """What a prompt says where its wording has gaps, in order and as written; None where it has another wording."""
    spans = [match.span() for match in _TOKEN.finditer(prompt.casefold())]
    if len(prompt.casefold()) != len(prompt):
        return None  # folding moved the letters (a German sharp s): places are no longer places
    text = normal_text(prompt)
    places = _places(wording, text) if wording else None
    if places is None:
        return None
    # A space stands before every token of the normal text.
    counted = [(text.count(" ", 0, start) - 1, text.count(" ", 0, end)) for start, end in places]
    edges = [0, *(edge for pair in counted for edge in pair), len(spans)]
    gaps = list(zip(edges[::2], edges[1::2], strict=True))
    if not wording.startswith(GAP):
        gaps = gaps[1:]
    if not wording.endswith(GAP):
        gaps = gaps[:-1]
    return [prompt[spans[start][0] : spans[end - 1][1]] if end > start else "" for start, end in gaps]


def _places(wording: str, text: str) -> list[tuple[int, int]] | None:
    """Where the runs of a wording stand in a normal text (without the spaces around them); None where they do not."""
    runs = [run.strip() for run in wording.split(GAP)]
    starts, ends = bool(runs[0]), bool(runs[-1])
    inner = [run for run in runs if run]
    spans: list[tuple[int, int]] = []
    place = 0
    for number, run in enumerate(inner):
        padded = f" {run} "
        if number == len(inner) - 1 and ends:
            start = len(text) - len(padded)
            if start < place or (number == 0 and starts and start != 0) or not text.endswith(padded):
                return None
        else:
            start = text.find(padded, place)
            if start < 0 or (number == 0 and starts and start != 0):
                return None
        spans.append((start + 1, start + 1 + len(run)))
        place = start + len(padded) - 1
    return spans


@dataclass
class _Skeleton:
    """Tokens that all prompts of a group share, in order."""

    tokens: list[str]
    glued: list[bool]
    """Whether a token follows the one before it directly, in every prompt."""
    starts: bool
    ends: bool
    rows: list[int] = field(default_factory=list)
    seen: int = 0
    """Tokens of all its prompts."""

    @classmethod
    def of(cls, row: int, tokens: list[str]) -> _Skeleton:
        glued = [place > 0 for place in range(len(tokens))]
        return cls(list(tokens), glued, True, True, [row], len(tokens))

    def take(self, row: int, tokens: list[str]) -> bool:
        """Shrink to what this prompt shares, too; False, and nothing changed, where that is too little."""
        own = [f"\0{place}" if token[0].isdigit() else token for place, token in enumerate(self.tokens)]
        others = [f"\1{place}" if token[0].isdigit() else token for place, token in enumerate(tokens)]
        pairs: list[tuple[int, int]] = []
        for block in LCSseq.opcodes(own, others):
            if block.tag == "equal":
                pairs += zip(
                    range(block.src_start, block.src_end), range(block.dest_start, block.dest_end), strict=True
                )
        needed = SHARED_FIRST * min(len(own), len(others)) if len(self.rows) == 1 else SHARED_LATER * len(self.tokens)
        if len(pairs) < max(LEAST_TOKENS, needed):
            return False
        kept = _Skeleton(
            [self.tokens[mine] for mine, _theirs in pairs],
            [
                number > 0 and pairs[number - 1] == (mine - 1, theirs - 1) and self.glued[mine]
                for number, (mine, theirs) in enumerate(pairs)
            ],
            self.starts and pairs[0] == (0, 0),
            self.ends and pairs[-1] == (len(own) - 1, len(others) - 1),
        )
        if not kept.wording():
            return False
        self.tokens, self.glued, self.starts, self.ends = kept.tokens, kept.glued, kept.starts, kept.ends
        self.rows.append(row)
        self.seen += len(tokens)
        return True

    def wording(self) -> str:
        """The runs of two words and more, and single ones at an end; empty where that is too little to tell a task by."""
        runs: list[list[str]] = []
        for token, glued in zip(self.tokens, self.glued, strict=True):
            if glued:
                runs[-1].append(token)
            else:
                runs.append([token])
        last = len(runs) - 1
        held = [
            (number, run)
            for number, run in enumerate(runs)
            if len(run) > 1 or (number == 0 and self.starts) or (number == last and self.ends)
        ]
        held = [(number, run) for number, run in held if not all(token[0].isdigit() for token in run)]
        words = [token for _number, run in held for token in run]
        if (
            len(words) < LEAST_TOKENS
            or len("".join(words).encode()) < LEAST_BYTES
            or max(map(len, (run for _number, run in held)), default=0) < LEAST_RUN
        ):
            return ""
        text = f" {GAP} ".join(" ".join(run) for _number, run in held)
        opens = "" if self.starts and held[0][0] == 0 else f"{GAP} "
        closes = "" if self.ends and held[-1][0] == last else f" {GAP}"
        return opens + text + closes


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text.casefold())


def _edges(tokens: list[str]) -> list[str]:
    return tokens if len(tokens) <= HEAD_TOKENS + TAIL_TOKENS else tokens[:HEAD_TOKENS] + tokens[-TAIL_TOKENS:]


def _grams(tokens: list[str]) -> set[tuple[str, str, str]]:
    return {
        (one, two, three)
        for one, two, three in zip(tokens, tokens[1:], tokens[2:], strict=False)
        if not (one[0].isdigit() or two[0].isdigit() or three[0].isdigit())
    }
