"""What a prompt asks of a translation or a summary beside being one: a length, a format, a register.

The instruction is taken apart from the text that it speaks of, and the constraints reader reads it. What it reads is checked;
what it could not read, and a style (which only a reader can judge), is known as unread.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from rlar.kinds.carries import find_passage
from rlar.kinds.constraints.check import check
from rlar.kinds.constraints.read import Constraint, parse_constraints
from rlar.types import Score, abstain, ok

CERTAIN = 0.5
"""A reading below this is no reading."""
BROKEN = 0.4
"""What each demand that is not met leaves of a score: what the constraints verifier leaves at most."""
LONGEST_INSTRUCTION = 600

_STYLE = re.compile(
    r"\b(?:(?:in)?formal(?:ly|mente)?|casual(?:ly)?|colloquial(?:ly)?|slang|polite(?:ly)?|honorifics?|register|tone|poetic(?:ally)?|literal(?:ly)?|"
    r"word[- ]for[- ]word|rhym\w+|archaic|humou?rous(?:ly)?|playful(?:ly)?|sarcastic(?:ally)?|gender-neutral|(?:simple|plain|easy)\s++(?:language|words|terms|english)|"
    r"in\s++(?:the|an?)\s++(?:\w++\s++){0,2}?style|style\s++of|for\s++(?:an?\s++)?(?:\w++[- ]year[- ]olds?|kids|child(?:ren)?|beginners?|experts?|lay\w*)|"
    r"glossary|terminology|usted|tutear|tutoyer|vouvoyer|soutenu|familier|formel(?:le)?|(?:in)?formell\w*|höflich\w*|umgangssprachlich\w*|"
    r"(?:sie|du)-form|duzen|siezen|cortés|coloquial|educad[ao]|cortese|colloquiale)\b|敬語|敬语|丁寧|です・ます|口语|口語|书面语|書面|正式|존댓말|반말",
    re.IGNORECASE,
)


_KEEP_MARKUP = re.compile(
    r"\b(?:keep|preserv\w+|retain\w*|leav\w+|maintain\w*|not\s++(?:translate|change|alter|touch)|don't\s++(?:translate|change|alter|touch)|"
    r"unchanged|intact|untranslated)\b[^.\n]{0,60}\b(?:placeholders?|tags?|html|xml|markup|variables?|urls?|links?|tokens?)\b|"
    r"\b(?:placeholders?|tags?|html|xml|markup|variables?|urls?|links?)\b[^.\n]{0,60}\b(?:unchanged|intact|untranslated|as\s++(?:they|it)\s++(?:are|is)|as[- ]is)\b",
    re.IGNORECASE,
)


class Demands(NamedTuple):
    """What a row's instruction demands of the form of the answer."""

    checked: tuple[Constraint, ...]
    unread: tuple[str, ...]
    keeps_markup: bool = False
    """Placeholders and tags are to stay as they are."""

    def apply(self, score: Score, text: str, references: Sequence[str], *, flag: bool, broken: str = "") -> Score:
        """The score with what the demands make of it.

        Each that is broken leaves BROKEN of it, one that is unread makes it an abstention (0.0 stays 0.0) or, with
        `flag`, is named in `details.unread`. A demand that no reference meets was misread or is not meant: it decides nothing.

        Args:
            broken: a demand that the caller knows to be broken.
        """
        if not score.value or not (self.checked or self.unread or broken):
            return score
        if self.unread and not flag:
            return abstain(f"unread: {self.unread[0][:160]!r}", unread=list(self.unread))
        meant = [each for each in self.checked if any(_met(each, one) for one in references)]
        missed = [each.quote for each in meant if not _met(each, text)] + [broken] * bool(broken)
        details = {"unread": list(self.unread)} if self.unread else {}
        if not missed:
            return score.model_copy(update={"details": {**score.details, **details}})
        value = score.value * BROKEN ** len(missed)
        return ok(value, f"does not meet {missed[0][:160]!r}; {score.explanation}", **details)


def _met(demand: Constraint, text: str) -> bool:
    """False only where it is certain."""
    return check(demand.kind, demand.params, text).met is not False


@lru_cache(maxsize=4096)
def read_demands(prompt: str, source: str = "") -> Demands:
    """The demands of a prompt on the form of its answer; `source` is the text it speaks of, where that is known."""
    request = instruction(prompt, source)
    constraints = [each for each in parse_constraints(request) if each.strength == "hard" and each.kind != "language"]
    keeps = _KEEP_MARKUP.search(request)
    unread = [each.quote for each in constraints if each.confidence < CERTAIN and not _KEEP_MARKUP.search(each.quote)]
    unread += [match.group() for match in _STYLE.finditer(request)][:4]
    checked = tuple(each for each in constraints if each.confidence >= CERTAIN and each.quote not in unread)
    return Demands(checked, tuple(dict.fromkeys(unread)), keeps is not None)


_MARKUP = re.compile(
    r"\{\{?[\w .:-]{1,40}\}\}?|%(?:\(\w{1,40}\))?[sdif@]|\$\{\w{1,40}\}|</?[a-zA-Z][^<>\n]{0,80}>|\[[A-Z_0-9]{2,40}\]|https?://[^\s<>\"']{1,300}"
)


def markup(text: str) -> Counter[str]:
    """Placeholders, tags and addresses: what a translation leaves as it is."""
    return Counter(_MARKUP.findall(text))


def instruction(prompt: str, source: str = "") -> str:
    """A prompt without the text that it speaks of; "" where the two cannot be told apart."""
    text = source.strip() if source.strip() and source.strip() in prompt else find_passage(prompt)
    request = prompt.replace(text, "\n", 1) if text else prompt
    if len(request) <= LONGEST_INSTRUCTION:
        return request.strip()
    head, colon, _rest = request[:LONGEST_INSTRUCTION].partition(":")
    return head if colon else ""
