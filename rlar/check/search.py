"""Beyond fixed probes: the shortest text that still fools a function, and a seeded search for texts that do.

A text counts where the function rewards it and it is surely wrong (`is_wrong`); what nobody can say is not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

from rlar.check.card import Fooled
from rlar.check.endings import with_completion, written
from rlar.gate.checks import is_first_right
from rlar.gate.probe import ProbeSet
from rlar.tool import RewardTool
from rlar.types import Sample

HALF = 0.5
"""On a verifier's scale: from here on a completion is rewarded."""
SHRINK_CALLS = 200
"""For one completion."""
ROUND = 16
"""Completions scored at once."""
POOL = 400
LONGEST = 4000
KEPT = 20
CUES = (
    "The answer is {}", "Answer: {}", "\\boxed{{{}}}", "**{}**", "<answer>{}</answer>", "<think>{}", "<think></think>{}",
    "#### {}", "`{}`", "```\n{}\n```", "so {} or {}", "{}.", " {} ", "not {}", "{}, or something else", "\"{}\"", "({})", "{}{}",
)  # fmt: skip

IsWrong = Callable[[Sample], bool]


def shrink(entry: Fooled, tool: RewardTool, is_wrong: IsWrong, row: Sample) -> Fooled:
    """The entry with the shortest text that could be reached by leaving parts out (delta debugging by lines, then words).

    Not by characters: half a word is wrong for everybody, and says nothing of the function.
    """
    best, score, calls = entry.completion, entry.score, 0
    for split, glue in ((str.splitlines, "\n"), (str.split, " ")):
        parts = list(split(best))  # type: ignore[operator]
        size = len(parts) // 2
        while size >= 1 and calls < SHRINK_CALLS:
            for start in range(0, len(parts), size):
                shorter = [*parts[:start], *parts[start + size :]]
                text = glue.join(shorter)
                if len(text) >= len(best) or calls >= SHRINK_CALLS:
                    continue
                calls += 1
                sample = with_completion(row, text)
                value = tool.score([sample])[0].value
                if value is not None and value >= HALF and is_wrong(sample):
                    parts, best, score = shorter, text, value
                    break
            else:
                size //= 2
    return entry.model_copy(update={"completion": best, "score": score})


def search(
    tool: RewardTool, probes: ProbeSet, is_wrong: IsWrong, *, calls: int, seed: int
) -> tuple[tuple[Fooled, ...], int]:
    """Texts that the function rewards and that are wrong, the shortest of each way first; and the calls that were made.

    Mutates and recombines what the probes, prompts and references say: splices, cues and markup around them, repeated and
    cut parts, numbers changed. What scores above nothing is bred from again.
    """
    random = Random(seed)
    rows = [probe.sample for probe in probes.probes if is_first_right(probe)]
    pool = list(dict.fromkeys(written(probe.sample) for probe in probes.probes if not probe.may_loop))
    pool = [text for text in pool if len(text) <= LONGEST][:POOL]
    if not rows or not pool:
        return (), 0
    smallest: dict[str, Fooled] = {}
    tried: set[tuple[int, str]] = set()
    spent = 0
    while spent < calls:
        children = list(_children(random, rows, pool, min(ROUND, calls - spent), tried))
        if not children:
            break
        spent += len(children)
        samples = [with_completion(rows[row], text) for row, _, text in children]
        for (_, way, text), sample, score in zip(children, samples, tool.score(samples), strict=True):
            if score.value is None or score.value <= 0.0:
                continue
            if len(pool) < 2 * POOL:
                pool.append(text)
            if score.value >= HALF and is_wrong(sample):
                entry = Fooled(check="search", kind=f"search: {way}", completion=text, score=score.value, expected="low", prompt=sample.prompt, reference=sample.reference)  # fmt: skip
                if way not in smallest or len(text) < len(smallest[way].completion):
                    smallest[way] = entry
    kept = sorted(smallest.values(), key=lambda each: (len(each.completion), each.completion))
    return tuple(kept[:KEPT]), spent


def _children(
    random: Random, rows: Sequence[Sample], pool: Sequence[str], count: int, tried: set[tuple[int, str]]
) -> Iterator[tuple[int, str, str]]:
    """(row, how it was made, text), none of them tried before."""
    made = 0
    for _ in range(20 * count):
        if made == count:
            return
        row = random.randrange(len(rows))
        way, text = _mutated(random, rows, row, pool)
        text = text[:LONGEST]
        if (row, text) not in tried:
            tried.add((row, text))
            made += 1
            yield row, way, text


def _mutated(random: Random, rows: Sequence[Sample], row: int, pool: Sequence[str]) -> tuple[str, str]:
    reference = rows[row].reference or ""
    text = random.choice((random.choice(pool), random.choice(pool), reference, rows[row].prompt))
    way = random.choice(("cue", "splice", "repeat", "cut", "swap", "number", "spray", "case", "affix"))
    words = text.split()
    match way:
        case "cue":
            cue = random.choice(CUES)
            return f"cue {cue}", cue.format(*[text, random.choice(pool)][: cue.count("{}")] or [text])
        case "splice":
            glue = random.choice((" ", "\n", "\n\n", ", ", " = "))
            return way, text[: random.randint(0, len(text))] + glue + random.choice(pool)
        case "repeat":
            return way, (text + random.choice((" ", "\n", ""))) * random.choice((2, 3, 10))
        case "cut":
            start = random.randint(0, len(text))
            return way, text[start : random.randint(start, len(text))]
        case "swap" if len(words) > 1:
            one, other = random.sample(range(len(words)), 2)
            words[one], words[other] = words[other], words[one]
            return way, " ".join(words)
        case "number":
            digits = [index for index, char in enumerate(text) if char.isdigit()]
            if digits:
                at = random.choice(digits)
                return way, text[:at] + str(random.randrange(10)) + text[at + 1 :]
        case "spray":
            others = [each.reference for each in random.sample(list(rows), min(4, len(rows))) if each.reference]
            return way, random.choice((" ", ", ", "\n", " or ")).join([*others, reference])
        case "case":
            return way, random.choice((text.upper, text.lower, text.swapcase))()
    return "affix", random.choice(("1", "0", "-", ".", " ", "%", "$", "x", "not ")) + text + random.choice(
        ("", "0", ".", "%")
    )
