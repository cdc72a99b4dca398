"""Did the completion choose the right option or label?

A row's binding names the closed set: {"options": {"A": "text", ...}} and/or {"labels": ["yes", "no", ...]}. A claim may
give the letter in any dress ("B", "(b)", "Option B because ..."), the option's text, or the label word. A claim that
names several options, or claims that differ, score 0.0: hedging is not choosing. "not B" chooses nothing.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any, ClassVar

from rlar.text.answers import Claims, claims, fold, reference_answer, squeeze, tidy, visible_answer
from rlar.tool import LibraryTool
from rlar.types import AnswerKind, Sample, Score, abstain, ok

MAX_OPTIONS = 64
MAX_CLAIM = 600
_LATEX = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mbox)\s*\{([^{}]{0,300})\}")
_OPTION_WORD = r"(?:the\s+|is\s+|choose\s+|select\s+)*(?:option|choice|letter|answer|alternative|opción|opcion|réponse|antwort|选项|選項)\s*"
_LEAD = re.compile(
    r"^(?:" + _OPTION_WORD + r")?[(\[<{*_\"']{0,3}([A-Za-z])(?:[)\]>}*_\"']|[.:,;、：)](?=\s|\W|$)|\s*$|(?=\s*[-–—:：]\s)|(?=\s))", re.I
)  # fmt: skip
_AFTER_LETTER = re.compile(
    r"^[\W_]*(?:$|[-–—:：,;.]|because\b|since\b|as\b|is\b|was\b|would\b|and\b|or\b|\(|due\b|for\b|which\b|weil\b|porque\b|car\b)",
    re.I,
)
_MENTION = re.compile(r"(?<![A-Za-z0-9_'’])(?:\(([A-Za-z])\)|([A-Z])(?![A-Za-z0-9_'’]|\.[A-Za-z]))")
_NEGATION = re.compile(
    r"(?:\bnot|n't|n’t|\bneither|\bnor|\bnever|\bwithout|\brather than|\binstead of|\bnicht|\bkein|\bpas|\bnon|\bno es|不是|并非)"
    r"(?:\s+(?:the|a|an|option|choice|really|be|very|is))*[\s\W]*$",
    re.I,
)
_REJECTED = re.compile(
    r"[\W_]{0,4}(?:is|are|was|would be|can be|seems)(?:n't|n’t)?\s+(?:also\s+|clearly\s+)?(?:not\b|incorrect|wrong|false|invalid|ruled|eliminated|out\b)|[\W_]{0,4}(?:isn't|isn’t|cannot|can't)\b",
    re.I,
)
_BECAUSE = re.compile(
    r"\bbecause\b|\bsince\b|,\s+as\b|\bdue to\b|\bdespite\b|\balthough\b|\beven though\b|\brather than\b|\binstead of\b"
)
_CHAIN = re.compile(
    r"^[\W_]*(?:,|/|\||;|&|\bor\b|\band\b|\boder\b|\bou\b|\by\b|\bo\b|\bet\b|或|和|、|\n|\s)[\W_]*$", re.I
)
_MARKED_LINE = re.compile(r"^[ \t*_>-]*\(?([A-Z])[).:][ \t*_]", re.M)
_SENTENCE = re.compile(r"[.!?。！？]\s|\n")
_STANDARD_SETS = (
    ("yes", "no"), ("true", "false"), ("positive", "negative", "neutral"), ("entailment", "neutral", "contradiction"),
    ("correct", "incorrect"), ("right", "wrong"), ("agree", "disagree"),
)  # fmt: skip


class _Reader:
    """Reads claims against one closed set; kept by `_reader` because building its patterns costs more than a claim."""

    def __init__(self, options: tuple[tuple[str, str], ...], labels: tuple[str, ...]) -> None:
        self.letters = {
            letter.upper() for letter, _ in options if len(letter) == 1 and letter.isascii() and letter.isalpha()
        }
        self.letters |= {label.upper() for label in labels if len(label) == 1 and label.isascii() and label.isalpha()}
        names: dict[str, str] = {}
        for letter, text in options:
            key = letter.upper()
            if (folded := squeeze(fold(tidy(text)))) and len(folded) > (1 if folded.isascii() else 0):
                names.setdefault(folded, key)
            if not (len(letter) == 1 and letter.isascii() and letter.isalpha()):
                names.setdefault(squeeze(fold(letter)), key)
        for label in labels:
            if not (len(label) == 1 and label.isascii() and label.isalpha()):
                folded = squeeze(fold(label))
                names.setdefault(folded, folded)
                if "_" in folded or "-" in folded:
                    names.setdefault(folded.replace("_", " ").replace("-", " "), folded)
        names.pop("", None)
        self.names = names
        ordered = sorted(names, key=len, reverse=True)
        self.pattern = re.compile("|".join(_bounded(name) for name in ordered)) if ordered else re.compile(r"(?!x)x")
        self.glued = _glued(ordered)

    def target(self, reference: str) -> frozenset[str]:
        """What the reference chooses; empty when it is none of the set."""
        answer = tidy(_LATEX.sub(r"\1", reference_answer(reference)))
        folded = squeeze(fold(answer))
        if folded in self.names:
            return frozenset({self.names[folded]})
        bare = re.sub(r"[\W_]|\band\b", "", answer)
        if (
            bare
            and len(bare) <= len(self.letters)
            and bare.isupper()
            and set(bare) <= self.letters
            and len(set(bare)) == len(bare)
        ):
            return frozenset(bare)
        if len(bare) == 1 and bare.upper() in self.letters:
            return frozenset({bare.upper()})
        return self.choices(answer)

    def choices(self, claim: str) -> frozenset[str]:
        """What a short claim chooses: several when it names several, empty when it names none."""
        text = squeeze(tidy(_LATEX.sub(r"\1", claim[:MAX_CLAIM])))
        if not text:
            return frozenset()
        folded = fold(text)
        if folded in self.names:
            return frozenset({self.names[folded]})
        if (letters := self._lead_letters(text)) is not None:
            return letters
        named = self._named(folded)
        return named or self._mentioned_letters(text)

    def _lead_letters(self, text: str) -> frozenset[str] | None:
        match = _LEAD.match(text)
        if match is None or match[1].upper() not in self.letters:
            return None
        rest = text[match.end(1) :]
        if _REJECTED.match(rest):
            return None
        dressed = match.start(1) > 0 or rest[:1] in tuple(").]:}*")
        if not rest.strip(" .*_)") or dressed or (match[1].isupper() and _AFTER_LETTER.match(rest)):
            letters = {match[1].upper()}
            last = match.end(1)
            for other in _MENTION.finditer(text, last):
                letter = (other[1] or other[2]).upper()
                if letter in self.letters and _CHAIN.match(text[last : other.start()].strip("()").ljust(1)):
                    letters.add(letter)
                    last = other.end()
                else:
                    break
            # "B) London" where London is option A names two options.
            head = _SENTENCE.split(rest.lstrip(" .):*_-–—]}"), maxsplit=1)[0]
            text_choice = self.names.get(squeeze(fold(tidy(head))))
            if text_choice in self.letters:
                letters.add(text_choice)
            return frozenset(letters)
        return None

    def _named(self, folded: str) -> frozenset[str]:
        head = _BECAUSE.split(folded, maxsplit=1)[0]
        return (self._names_in(head) if head != folded else frozenset()) or self._names_in(folded)

    def _names_in(self, folded: str) -> frozenset[str]:
        if self.glued is not None and (both := self.glued.search(folded)) is not None:
            return frozenset(self.names[name] for name in both.groups() if name)
        found: list[tuple[str, int, int]] = []
        for match in self.pattern.finditer(folded):
            if not _NEGATION.search(folded[max(0, match.start() - 40) : match.start()]):
                found.append((self.names[match.group()], match.start(), match.end()))
        if not found:
            return frozenset()
        first, start, end = found[0]
        if start == 0:
            # "Yes, because there is no ..." chooses yes; "yes or no" chooses nothing.
            chosen = {first}
            for name, begin, stop in found[1:]:
                if not _CHAIN.match(folded[end:begin] or " "):
                    break
                chosen.add(name)
                end = stop
            return frozenset(chosen)
        return frozenset(name for name, _, _ in found)

    def _mentioned_letters(self, text: str) -> frozenset[str]:
        letters = set()
        for match in _MENTION.finditer(text):
            letter = (match[1] or match[2]).upper()
            if letter not in self.letters or _REJECTED.match(text[match.end() :]):
                continue
            if _NEGATION.search(text[max(0, match.start() - 40) : match.start()]):
                continue
            if (
                letter in "AI"
                and match[2]
                and re.match(r"\s+[a-z]", text[match.end() :])
                and not _AFTER_LETTER.match(text[match.end() :])
            ):
                continue  # the article, the pronoun
            letters.add(letter)
        return frozenset(letters)

    def read(self, text: str, found: Claims) -> list[frozenset[str]]:
        """The choices of the strongest tier that chooses anything."""
        cued = found.cued
        if len({match[1] for match in _MARKED_LINE.finditer(text)}) > 1:
            # In a list of options "A:" is a marker, not a cue.
            cued = tuple(
                claim
                for claim in cued
                if not re.search(r"(?m)^[^\w\n]*+A\W{0,3}[:：]\s*+" + re.escape(claim[:80]), text)
            )
        for tier in (found.boxed, found.final, cued, found.bold):
            if said := [choice for choice in map(self.choices, tier) if choice]:
                return said
        return self._uncued(text, found.last_line)

    def _uncued(self, text: str, last_line: str) -> list[frozenset[str]]:
        lines = [line for line in text.split("\n") if line.strip()]
        whole = squeeze(text)
        if len(lines) == 1 and len(whole) <= 80 and (choice := self.choices(whole)):
            return [choice]
        said = [frozenset({name}) for line in lines[:200] if (name := self.names.get(squeeze(fold(tidy(line)))))]
        lead = self._leading(lines[0]) if lines else frozenset()
        if lead:
            said.append(lead)
        if (marked := {match[1] for match in _MARKED_LINE.finditer(text)} & self.letters) and _MARKED_LINE.match(
            last_line
        ):
            said.append(frozenset(marked))
        if said:
            return said + ([final] if (final := self._leading(last_line)) else [])
        sentence = [piece for piece in _SENTENCE.split(last_line) if piece.strip()][-1:]
        choice = self.choices(sentence[0]) if sentence else frozenset()
        return [choice] if choice else []

    def _leading(self, line: str) -> frozenset[str]:
        """What a line chooses with its very first words."""
        text = squeeze(tidy(line[:MAX_CLAIM]))
        if (letters := self._lead_letters(text)) is not None:
            return letters
        folded = fold(text)
        match = self.pattern.match(folded)
        if match is None:
            return frozenset()
        rest = folded[match.end() :]
        return self._named(folded) if not rest or rest[0] in ",.;:!。，、-–—\n" else frozenset()


def _glued(names: list[str]) -> re.Pattern[str] | None:
    """Two names written as one word, of which one has several parts: "hatenot-hate" would else be read as its last part."""
    parted = [re.escape(name) for name in names if re.search(r"\w[\s_-]\w", name)]
    words = [re.escape(name) for name in names if len(name) > 1 and name[0].isalpha() and name[-1].isalpha()]
    if not parted or not words or len(names) > MAX_OPTIONS:
        return None
    some, any_name = "|".join(parted), "|".join(words)
    return re.compile(rf"({any_name})({some})|({some})({any_name})")


def _bounded(name: str) -> str:
    left = r"(?<!\w)" if name[0].isascii() and name[0].isalnum() else ""
    right = r"(?!\w)" if name[-1].isascii() and name[-1].isalnum() else ""
    return left + re.escape(name) + right


@lru_cache(maxsize=4096)
def _reader(options: tuple[tuple[str, str], ...], labels: tuple[str, ...]) -> _Reader:
    return _Reader(options, labels)


def closed_set(
    binding: dict[str, Any], references: tuple[str, ...]
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Options and labels of a row from its binding; else what its reference alone gives away; else two empty tuples."""
    raw_options, raw_labels = binding.get("options"), binding.get("labels")
    options = (
        tuple((str(key), str(value)[:2000]) for key, value in raw_options.items())[:MAX_OPTIONS]
        if isinstance(raw_options, dict)
        else ()
    )
    labels = (
        tuple(str(label)[:200] for label in raw_labels if str(label).strip())[:MAX_OPTIONS]
        if isinstance(raw_labels, list | tuple)
        else ()
    )
    if options or labels:
        return options, labels
    answer = fold(tidy(references[0])) if references else ""
    for known in _STANDARD_SETS:
        if answer in known:
            return (), known
    if re.fullmatch(r"\(?[a-j][).]?", answer):
        return (), tuple("ABCDEFGHIJ")
    return (), ()


class ChoiceMatch(LibraryTool):
    """1.0 when the completion chooses exactly what the reference chooses, else 0.0."""

    name = "choice"
    answer_kinds: ClassVar[frozenset[AnswerKind]] = frozenset({AnswerKind.CHOICE})
    role = "verifier"
    runs = "inline"
    summary = "chosen option or label equals the reference's (letter, text or label word; several chosen = 0)"

    def score_one(self, sample: Sample) -> Score:
        references = sample.references or ((sample.reference,) if sample.reference else ())
        if not references:
            return abstain("no reference")
        options, labels = closed_set(sample.binding, references)
        if not options and not labels:
            return abstain("neither options nor labels are known")
        reader = _reader(options, labels)
        targets = {reader.target(reference) for reference in references} - {frozenset()}
        if not targets:
            return abstain("the reference is none of the options")
        text = visible_answer(sample.answer, sample.prompt)
        if not text.isascii():
            text = unicodedata.normalize("NFKC", text)
        said = reader.read(text, claims(text)) if text else []
        if not said:
            return ok(0.0, "no option chosen")
        if len(set(said)) > 1:
            return ok(0.0, "conflicting choices")
        return ok(1.0, "the right option") if said[0] in targets else ok(0.0, "another option, or several")
