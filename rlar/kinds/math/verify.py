"""Is the final expression mathematically the reference?

Text decides what it can (rlar.kinds.math.forms); the rest goes to math-verify in a helper process with a time
and a memory limit (rlar.kinds.math.worker), so that nothing in a completion can block scoring. A claim that is
far longer or far dearer to evaluate than any spelling of the reference is wrong without being evaluated.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import ClassVar

from rlar.kinds.denials import denied as is_denied
from rlar.kinds.math.forms import AMBIGUOUS_COMMA, WORDS_ONLY, canonical, decide, explosive, squashed
from rlar.kinds.math.restated import restates, unfinished
from rlar.kinds.math.worker import Equivalence
from rlar.kinds.number import (
    DENIED,
    Number,
    all_equal,
    continued,
    denied,
    final_part,
    last_number,
    read_numbers,
    read_reference,
    rivals,
    stated_numbers,
)
from rlar.kinds.short_text import answer_in_words
from rlar.text.answers import Claims, claims, tidy, visible_answer
from rlar.text.sentences import parts_of, side_clauses
from rlar.tool import LibraryTool
from rlar.types import AnswerKind, Sample, Score, abstain, ok, timed_out

MAX_REFERENCE = 600
MAX_CLAIM = 600
MAX_CLAIMS = 8
MAX_COMPARISONS = 24
"""Algebra questions a completion may cost."""

_SEGMENT = re.compile(r"\$\$(.{1,800}?)\$\$|\$([^$\n]{1,600})\$|\\\((.{1,600}?)\\\)|\\\[(.{1,800}?)\\\]", re.S)
_REASON = re.compile(
    r"\b(?:because|since|where|which|given|as we|by the|using|for all|weil|porque)\b|[.;]\s+(?=[A-Z])", re.I
)
_SEVERAL = re.compile(r",(?!\d{3})|;|\b(?:or|and)\b")
_VARIABLE = re.compile(r"(?<![a-zA-Z\\])[a-zA-Z](?![a-zA-Z])")
_JOIN = re.compile(r"^[\s,;]*(?:and|or|,|;|und|y|et|或|和)[\s,;]*$", re.I)


STATED = "the reference is stated, and it cannot be read whether it is the answer"


class _TooLong(Exception):
    """The helper process ran past its limit."""


class MathMatch(LibraryTool):
    """1.0 when every final expression that the completion claims equals the reference, else 0.0."""

    name = "math"
    answer_kinds: ClassVar[frozenset[AnswerKind]] = frozenset({AnswerKind.MATH, AnswerKind.NUMBER})
    role = "verifier"
    runs = "pool"
    summary = "final expression equals the reference's (LaTeX, sets, intervals, tuples, matrices, units; math-verify)"

    def score_one(self, sample: Sample) -> Score:
        references = [one for one in sample.references or (sample.reference or "",) if one.strip()]
        if not references:
            return abstain("no reference")
        text = visible_answer(sample.answer, sample.prompt)
        if not text:
            return ok(0.0, "no answer")
        targets = [one for one in map(final_part, references) if one.strip() and len(one) <= MAX_REFERENCE]
        if len(text) <= MAX_REFERENCE:
            spelled = squashed(canonical(text))
            if any(spelled == squashed(canonical(one)) for one in (*targets, *references) if len(one) <= MAX_REFERENCE):
                return ok(1.0, "the reference's own spelling")
        if not targets:
            return abstain("no reference that reads as an expression")
        problem = problem_parts(sample.prompt)
        numbers = [number for number in map(read_reference, targets) if number is not None]
        same: bool | None = None
        ambiguous = any(AMBIGUOUS_COMMA.fullmatch(one.strip("$ ")) for one in targets)
        listed = ambiguous or any(one.count(",") > 1 for one in targets)
        reading = read_numbers(text, sample.prompt) if len(numbers) == len(targets) else None
        if reading is not None and (spoken := reading.numbers):
            same = all_equal(spoken, numbers)
            if same is not None and any(all_equal([one], numbers) != same for one in rivals(reading, sample.prompt)):
                return abstain("no cue tells which of several numbers is the answer", readers_disagree=True)
            if same and not ambiguous and not _repeats_problem(text, problem, targets):
                return ok(1.0, "the same number")
            if same is None:
                return abstain("the same number, of other things or in another unit than the one asked for")
            if DENIED in spoken:
                return ok(0.0, "the right number, denied, or another one")
            if same is False and not listed and _only_numbers(text, spoken):
                if any(all_equal([one], numbers) for one in stated_numbers(reading)):
                    return abstain(STATED, readers_disagree=True)
                return ok(0.0, "another number, or several")
        said = read_claims(text, problem)
        if not said:
            return ok(0.0, "no answer found")
        if len(said) > MAX_CLAIMS:
            return ok(0.0, "too many answers")
        judge = _Judge(self.resources.shared("math equivalence", Equivalence), problem)
        try:
            score = self._verdict(targets, said, judge)
            if score.value == 0.0 and _states(text, targets, judge, said):
                return abstain(STATED, readers_disagree=True)
            # Read as a number it is another one; only the words around it cannot be read as an expression.
            return ok(0.0, "another number") if same is False and not listed and score.value is None else score
        except _TooLong:
            return timed_out("comparing took longer than the limit")

    def _verdict(self, targets: list[str], said: list[str], judge: _Judge) -> Score:
        undecided = False
        for target in targets:
            verdicts = [judge.same(target, claim) for claim in said]
            if all(verdicts):
                return ok(1.0, "equal to the reference")
            if len(said) > 1 and len(set(said)) > 1 and judge.same(target, ", ".join(said)):
                return ok(1.0, "equal to the reference, part by part")
            undecided = undecided or (None in verdicts and False not in verdicts)
        if undecided:
            return abstain(
                "whether the texts say the same cannot be told: not all of the reference or of the claim can be read"
            )
        return ok(0.0, "another value" if len(set(said)) == 1 else "another value, or several")


@lru_cache(maxsize=4096)
def problem_parts(prompt: str) -> frozenset[str]:
    """The expressions that a prompt states, as text: repeating one is no answer. Plain numbers are left out."""
    parts = {next(group for group in match.groups() if group) for match in _SEGMENT.finditer(prompt[-8000:])}
    parts |= {match.group() for match in _FORMULA.finditer(prompt[-8000:])}
    parts |= {match.group() for match in _SPACED_FORMULA.finditer(prompt[-8000:])}
    found = {squashed(canonical(part.rstrip("."))) for part in parts if len(part) <= MAX_CLAIM}
    # A fraction is worth repeating only where the prompt does not ask for another form of it.
    rewrite = bool(_REWRITE.search(prompt[-2000:]))
    return frozenset(
        part
        for part in found
        if re.search(r"[\^+*/\\(!]|\w-\w", part)
        and (((rewrite and "frac" in part) or "/" in part) or read_reference(part) is None)
    )


_FORMULA = re.compile(r"(?<![\w^])[\w()+*/^.-]{3,200}(?![\w^])")
_SPACED_FORMULA = re.compile(r"(?<![\w.^])[\w.()^]{1,24}(?:\s?[-+*/×·÷−]\s?[\w.()^]{1,24}){1,12}(?![\w^])")
_REWRITE = re.compile(
    r"\b(?:simplif\w+|reduce\w*|convert\w*|rewrite|lowest terms|simplest|as a (?:decimal|fraction|mixed|percent\w*)|express)\b",
    re.I,
)


_BEYOND_NUMBERS = re.compile(r"[\\^√|]")


def _only_numbers(text: str, spoken: list[Number]) -> bool:
    """Are the numbers that a text puts forward all there is to it, so that no formula can be equal to the reference?"""
    return (
        all(number.values for number in spoken)
        and not _BEYOND_NUMBERS.search(text)
        and (len(spoken) > 1 or "!" not in text)
    )


def _repeats_problem(text: str, problem: frozenset[str], targets: list[str]) -> bool:
    """Is a number claimed as the prompt spells it, where the prompt asks for another form of it?"""
    if not any(read_reference(part) is not None for part in problem):
        return False
    wanted = {squashed(canonical(one)) for one in targets}
    said = {squashed(claim) for claim in read_claims(text)}
    return bool(said) and said <= problem - wanted


class _Judge:
    """Compares one completion's claims; counts what it costs."""

    def __init__(self, equivalence: Equivalence, problem: frozenset[str]) -> None:
        self._equivalence = equivalence
        self._problem = problem
        self._left = MAX_COMPARISONS

    def same(self, target: str, claim: str) -> bool | None:
        if len(claim) > min(MAX_CLAIM, 120 + 6 * len(target)):
            return False
        spelled, wanted = squashed(canonical(claim)), squashed(canonical(target))
        if spelled != wanted and (spelled in self._problem or restates(spelled, wanted, self._problem)):
            return False  # "Expand (x+1)^2" is not answered by (x+1)^2, nor by (1+x)(1+x)
        if unfinished(spelled) and read_reference(target) is not None:
            return False
        if WORDS_ONLY.fullmatch(canonical(target)):
            return answer_in_words(canonical(target)).meets(claim)
        return decide(target, claim, self._algebra)

    def _algebra(self, reference: str, claim: str) -> bool | None:
        if not re.search(r"[\w\\]", claim):
            return False
        if explosive(reference):
            return None
        if explosive(claim) or self._left <= 0 or _prose(claim):
            return False
        if _prose(reference):
            return None
        self._left -= 1
        verdict = self._equivalence.compare(reference, claim)
        if verdict in ("timeout", "crash"):
            raise _TooLong
        return None if verdict == "unreadable reference" else verdict == "equal"


def _prose(text: str) -> bool:
    """Is it words rather than an expression? The grammar would read "dog" as d*o*g."""
    bare = re.sub(r"\\[a-zA-Z]+", " ", text)
    return len(re.findall(r"[^\W\d_]{3,}", bare)) >= (1 if not re.search(r"\d|\\", text) else 3)


def read_claims(text: str, problem: frozenset[str] = frozenset()) -> list[str]:
    """The distinct expressions that a text claims as its answer, from its strongest tier; `problem`: see `problem_parts`."""
    found = claims(text)
    tiers: tuple[tuple[str, ...], ...] = (
        found.boxed,
        found.final,
        found.cued,
        found.bold if len(found.bold) == 1 else (),
    )
    for index, tier in enumerate(tiers):
        if index and tier and all(_denied_claim(claim) for claim in tier):
            return []
        parts = [
            part
            for part in (expression(continued(claim, text), problem) if index else tidy(claim) for claim in tier)
            if part
        ]
        if parts:
            return list(dict.fromkeys(canonical(part) for part in parts[:64]))
    main = parts_of(text).main
    return _uncued(found if main is text else claims(main), main)


_PROSE_WORD = re.compile(r"(?<![\\a-zA-Z{])[a-zA-Z]{3,}(?![a-zA-Z(}])")


def _states(text: str, targets: list[str], judge: _Judge, said: list[str]) -> bool:
    """Does a text without a cue hold one of the targets as a formula of its own, or as a side of one, undenied? Or is what is
    read as its claim half in words?"""
    tiers = claims(text)
    if tiers.boxed or tiers.final or tiers.cued:
        return False
    in_words = any(_PROSE_WORD.search(target) for target in targets)  # then words are how such an answer is written
    if not in_words and any(_PROSE_WORD.search(claim) and _MATHLIKE.search(claim) for claim in said):
        return True
    tail = text[-1500:]
    for segment in list(_SEGMENT.finditer(tail))[-4:]:
        formula = next(filter(None, segment.groups()))
        if not is_denied(tail, segment.start(), segment.end()):
            sides = dict.fromkeys((formula, formula.rpartition("=")[2]))
            if any(judge.same(target, canonical(side)) for target in targets for side in sides if side):
                return True
    return False


_FIRST_MATHS = re.compile(r"[\d$\\(]|(?<![a-zA-Z])[a-zA-Z](?![a-zA-Z'’])")


def _denied_claim(claim: str) -> bool:
    """Is it "not x+1", with nothing else put in its place?"""
    first = _FIRST_MATHS.search(claim)
    return first is not None and denied(claim, first.start()) and not re.search(r"\bbut\b|;", claim)


_LABEL = re.compile(r"\A\s?(?:the )?(?:final )?(?:answer|ans|result|solution) ?(?:[:=]|\bis\b)\s{0,2}", re.I)
_LINK = re.compile(
    r"(?:\b(?:is|are|was|were|equals?|be|becomes|gives?|yields?|get|obtain|have|find|ist|es|est|son|sind)\b|(?<!\d)[:：]|是|为|等于)"
    r"\s*(?:(?:then|therefore|thus|simply|just|exactly|approximately|about|equal\s+to|given\s+by|also)\s+)?(?=[\x00\d(+-]|\\|[a-zA-Z]\s?[=(\d]|[a-zA-Z][.\s]*$)"
)
_CONCLUSION = re.compile(r"\b(?:so|therefore|thus|hence)\b", re.I)
_PLAIN_WORD = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{2,}")


def expression(claim: str, problem: frozenset[str] = frozenset()) -> str:
    """The mathematical part of a claim in words: "$x = 2$ because ..." -> x = 2; "the sum of the roots of $x^2-9$ is 0" -> 0."""
    claim = _LABEL.sub("", claim)
    masked = _SEGMENT.sub(lambda match: "\x00" * len(match.group()), claim)
    reason = _REASON.search(masked, 1)
    masked = masked[: reason.start()] if reason else masked
    start = 0
    for link in _LINK.finditer(masked):
        before = masked[: link.start()]
        if len(_PLAIN_WORD.findall(before)) >= (1 if "\x00" not in before[:1] or _CONCLUSION.search(before) else 99):
            start = link.end()
    if start:
        return expression(claim[start:].strip(), problem)
    segments = list(_SEGMENT.finditer(claim))
    if segments:
        own = [one for one in segments if squashed(canonical(next(filter(None, one.groups())))) not in problem]
        segments = segments[segments.index(own[0]) :] if own else segments
        chosen = [next(group for group in segments[0].groups() if group)]
        for before_, after in pairwise(segments):
            if not _JOIN.match(claim[before_.end() : after.start()]):
                break
            chosen.append(next(group for group in after.groups() if group))
        return ", ".join(_LABEL.sub("", tidy(piece.strip())) for piece in chosen)
    clause = _REASON.split(claim, maxsplit=1)[0].strip()
    return tidy(_last_side(clause))


def _last_side(clause: str) -> str:
    """A chain of equations as its last value: "9 * 2 = 18" -> 18; "x = 18" stays."""
    if _SEVERAL.search(clause) or not (clause.count("=") > 1 or re.search(r"\d\s*=", clause)):
        return clause
    if clause.count("=") == 1 and _VARIABLE.search(clause):
        return clause  # an equation
    return clause.rsplit("=", 1)[1].strip()


_LEAD = re.compile(
    r"\A[*_> ]{0,4}(?:(?:so|therefore|thus|hence|then|finally|we (?:get|have|find|obtain)|this gives|it follows that)\b[ ,:]{0,2}){1,3}",
    re.I,
)
_ROUNDED = re.compile(
    r"(?<=[\w$)}])\s?,?\s?\(?\b(?:or|i\.e\.|which is|that is)?,?\s?(?:about|approximately|roughly|around|nearly)\s[^\n]{1,40}$"
)
_TIME = re.compile(r"(?<![\d:])\d{1,2}:[0-5]\d(?![\d:])(?:\s*[aApP]\.?\s?[mM]\b\.?)?")
_MATHLIKE = re.compile(r"[\d$\\=^]|\b[a-zA-Z]\b\s*[-+*/]")


def _in_words(text: str) -> bool:
    """Do two words of prose stand side by side?"""
    return re.search(r"(?<![^\W\d_])[^\W\d_]{3,}+\s+[^\W\d_]{3}", re.sub(r"\\[a-zA-Z]+", "", text)) is not None


def _uncued(found: Claims, text: str) -> list[str]:
    line = _LEAD.sub("", _ROUNDED.sub("", found.last_line))
    if not _MATHLIKE.search(line):
        # A closing remark; the answer stands above it.
        above = [one for one in text[-4000:].split("\n") if _MATHLIKE.search(one)]
        line = above[-1].strip() if above else line
    segments = list(_SEGMENT.finditer(line))
    if not segments and len(text.strip()) > len(line) and line.strip() in ("$$", "\\]", "\\)"):
        segments = list(_SEGMENT.finditer(text[-1500:]))
    if len(segments) > 1:
        is_side = side_clauses(line)
        said = [one for one in segments if not is_side(one.start()) and not is_denied(line, one.start(), one.end())]
        segments = said or segments
    if segments:
        chosen = [next(group for group in segments[-1].groups() if group)]
        for before, after in reversed(list(pairwise(segments))):
            if not _JOIN.match(line[before.end() : after.start()]):
                break
            chosen.insert(0, next(group for group in before.groups() if group))
        return [canonical(_last_side(", ".join(chosen)))]
    bare = tidy(line)
    if len(times := set(_TIME.findall(bare))) == 1:
        return [canonical(times.pop().strip())]
    stated = expression(bare)
    if stated != bare and _MATHLIKE.search(stated) and not _in_words(stated):
        return [canonical(stated)]  # "The solutions are x = 3 and x = -2."
    if len(bare) <= 60 and not _in_words(bare):
        lines = [tidy(one) for one in text.split("\n") if one.strip()]
        short = [one for one in lines[-32:] if len(one) <= 24 and "=" not in one]
        # Several bare lines are several guesses.
        return list(
            dict.fromkeys(
                canonical(_last_side(one)) for one in ([*short, bare] if len(short) == len(lines) else [bare])
            )
        )
    tail = re.split(r"\b(?:is|are|=|equals|be|get|to|of|gives|have)\b", bare)[-1]
    numbers = last_number(bare)
    if numbers is not None and read_reference(tail) is None:
        values = dict.fromkeys(str(number.values[0]) for number in numbers if number.values)
        return [f"{value}" for value in values] or [tidy(tail)]
    return [canonical(tail)] if tail.strip() else []
