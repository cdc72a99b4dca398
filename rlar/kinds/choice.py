"""Did the completion choose the right option or label?

A row's binding names the closed set: {"options": {"A": "text", ...}} and/or {"labels": ["yes", "no", ...]}. A claim may
give the letter in any dress ("B", "(b)", "Option B because ..."), the option's text, or the label word. A claim that
names several options, or claims that differ, score 0.0: hedging is not choosing. "not B" chooses nothing. A text that
speaks of several options without a list, a cue or a clear "it is B" is not read: the tool abstains.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import islice, pairwise
from typing import Any, ClassVar

from rlar.kinds.denials import attributed, denied, undoubted
from rlar.text.answers import Claims, claims, fold, reference_answer, squeeze, tidy, visible_answer
from rlar.text.sentences import parts_of, pieces, side_clauses
from rlar.text.stems import Stems
from rlar.tool import LibraryTool
from rlar.types import AnswerKind, Sample, Score, abstain, ok

MAX_OPTIONS = 64
MAX_CLAIM = 600
_LATEX = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mbox)\s*\{([^{}]{0,300})\}")
_OPTION_WORD = r"(?:the\s+|is\s+|choose\s+|select\s+)*(?:option|choice|letter|answer|alternative|opción|opcion|réponse|antwort|选项|選項)[\s_#]*"
_LEAD = re.compile(
    r"^(?:" + _OPTION_WORD + r")?[(\[<{*_\"']{0,3}([A-Za-z])(?:[)\]>}*_\"']|[.:,;、：)](?=\s|\W|$)|\s*$|(?=\s*[-–—:：]\s)|(?=\s))", re.I
)  # fmt: skip
_AFTER_LETTER = re.compile(
    r"^[\W_]*(?:$|[-–—:：,;.]|because\b|since\b|as\b|is\b|was\b|would\b|and\b|or\b|\(|due\b|for\b|which\b|weil\b|porque\b|car\b|not\b|but\b|it\s+is\b"
    r"|rather\s+than\b|instead\s+of\b|over\b|(?:alone\s+)?(?:fits|holds|matches|works|remains|satisfies|applies|does|must|seems|stays|survives)\b)",
    re.I,
)
_MENTION = re.compile(
    r"(?<![A-Za-z0-9_'’])(?:\(([A-Za-z])\)|(?:[Oo]ption|[Cc]hoice|[Aa]nswer)[\s_#]{1,2}([A-Z])\b|([A-Z])(?![A-Za-z0-9_'’]|\.[A-Za-z]))"
)
_UNESCAPED = re.compile(r"\\([_*#.!~>-])")
"""What markdown writes with a backslash: an underscore in an option's name."""
_FORMULA = re.compile(r"\\|[=^<>]")
_CONTRAST = re.compile(
    r"\b(?:but|yet|however|instead|actually|nevertheless|rather|sondern|aber|mais|pero|sino|però|bensì|mas|porém|maar|men|но)\b|但是?|而是|でも|しかし"
)
_SPOKEN_OF = re.compile(
    r"\b(?:rul(?:e|es|ed|ing)\s+out|eliminat\w{1,4}|exclud\w{1,4}|discard\w{0,3}|reject\w{0,3}|dismiss\w{0,3}|cross(?:ed|ing)?\s+out|between|among|odd\s+ones?\s+out\s+(?:is|are)"
    r"|(?:options|choices|candidates|alternatives)\s*(?:are|include|[:：]))(?:[\s*_\"'(]+(?:the|both|options?|choices?|answers?|letters?))*[\s*_\"'“‘(]*\Z",
    re.I,
)
"""Before a name: it and those that are listed with it are ruled out, or only named to be compared."""
_ALL_BUT = re.compile(
    r"\b(?:all|every\w*|each|any\w*|none|nothing)\s+(?:\w+\s+){0,3}?(?:but|except|other\s+than|apart\s+from|besides)\b",
    re.I,
)
_THEREFORE = re.compile(
    r"\b(?:so|therefore|thus|hence|consequently|ergo|then|also|somit|daher|donc|entonces|quindi|portanto)\b[,:]?\s+(?:(?:it|that|this)(?:['’]s|\s+(?:is|must\s+be|has\s+to\s+be))\s+)?(?=\S)|因此|所以",
    re.I,
)
_VERDICT = re.compile(
    r"(?:^|[\s:：(–—-])(?P<word>(?:not\s+(?:correct|right|true)|(?:in)?correct|right|wrong|yes|no)(?=[\s.!)*_]*$)|[✅✔✓☑❌✗✘✖])",
    re.I,
)
"""What a line about one option says of it, at its end."""
_POSITIVE = frozenset(["correct", "right", "yes", "✅", "✔", "✓", "☑"])
_CHOSEN = re.compile(
    r"(?:\b(?:is|are|was|be|it's|that's|answer|choose|chose|pick|picked|select|selected|with|for|therefore|thus|hence|so|ist|est|es|è|é)|[:：=,]|是|选|選)\s*"
    r"(?:the\s+|a\s+|an\s+|option\s+|choice\s+|letter\s+|der\s+|die\s+|das\s+|la\s+|le\s+|el\s+)*[\s*_\"'“‘(]*\Z",
    re.I,
)
"""Before a name: it is what the clause says, not what it speaks of."""
_SELECTS = re.compile(
    r"\b(?:i|we|i'd|i'll|would|will|must|let's)\s+(?:\w+\s+){0,2}?(?:choose|chose|prefer|select|selected|pick|picked|go\s+(?:for|with)|opt\s+for|settle\s+(?:on|for))\b(?:\s+that)?|"
    r"\b(?:correct|right|best|true|chosen|selected)\s+(?:answer|option|choice|one|statement|label|letter|class)?[ \t*_`]{0,8}(?:is|must\s+be|would\s+be|should\s+be|[:：])|"
    r"\b(?:correct|right|best)\s+(?:answer|option|choice|one)\s+(?:is|must\s+be)\s+(?:therefore|thus|hence|clearly|then|simply|indeed|probably|likely|definitely)[,:]?|"
    r"^[\W_]{0,8}(?:my\s+|the\s+|final\s+){0,2}(?:choice|option|selection|pick|verdict|label|classification|category|class|sentiment|decision|conclusion|prediction|auswahl|choix|elección|scelta|escolha)[ \t*_`]{0,8}(?:is|[:：=])|"
    r"\b(?:that|this|which)\s+(?:only\s+|just\s+)?leaves?\b(?:\s+(?:us|me)\s+with)?|"
    r"(?:选择|選擇|选|應選|应选)[ \t]*(?:是|[:：])?",
    re.I | re.M,
)
_SELECT_STEMS = Stems(
    "choos", "chose", "prefer", "select", "pick", "go", "opt", "settl", "correct", "right", "best", "true", "choice", "verdict", "label", "classif", "categor", "class", "sentiment",
    "decision", "conclusion", "prediction", "leave", "选", "選", "auswahl", "choix", "elecci", "scelta", "escolha",
)  # fmt: skip
_BUT_STEMS = Stems("but", "except", "other than", "apart", "beside")
_PREFERRED = re.compile(r"\s(?:over|to|than|instead\s+of|rather\s+than|ahead\s+of)\s")
_IS_RIGHT = re.compile(
    r"[\s*_)\"'’]*(?:is|must\s+be|would\s+be|seems|looks|appears\s+to\s+be)\s+(?:\w+\s+){0,1}?(?:the\s+)?(?:only\s+|most\s+)?(?:correct|right|best|better|true|the\s+answer|answer|appropriate|accurate)\b|是?(?:正确|正確|对的)(?!的?选项有)",
    re.I,
)
_RIGHT_WORDS = Stems(
    "正确",
    "正確",
    "对的",
    "correct",
    "right",
    "best",
    "better",
    "true",
    "answer",
    "appropriate",
    "accurate",
)
_CHAIN = re.compile(
    r"^[\W_]*(?:,|/|\||;|&|\bor\b|\band\b|\bnor\b|\boder\b|\bou\b|\by\b|\bo\b|\bet\b|\bund\b|\be\b|\bas\s+well\s+as\b|\bplus\b|或|和|、|\n|\s)(?:[\W_]|\bor\b|\band\b|\beither\b|\bmaybe\b|\bperhaps\b|\bpossibly\b|\bthe\b|\boption\b|\bchoice\b|\bletter\b|\banswer\b)*$",
    re.I,
)
_NOR = re.compile(r"\b(?:or|nor|oder|noch|ou|ni|né|nem|o)\b|或", re.I)
_DETERMINER = re.compile(
    r"\s+(?!(?:it|they|he|she|there|this|that|these|those|the|we|i|you|both|neither|because|since|as|or|but|and|is|was|are|will|would|can|in)\b)[a-z]",
    re.I,
)
_MARKED_LINE = re.compile(r"^[ \t*_>-]*\(?([A-Z])[).:][ \t*_]", re.M)
_SIGNS = re.compile(r"[✅✔✓☑❌✗✘✖\ufe0f]")
_ENDS_ANSWER = re.compile(r"\s*[.,;:!。，、–—\n-]")
_ORDINAL = re.compile(
    r"\b(?:first|second|third|fourth|fifth|last|former|latter)\s+(?:option|choice|one|answer|statement)\b", re.I
)
_NEGATED = re.compile(r"\b(?:not|cannot|never|nicht|kein\w*|pas|non|não|niet)\b|n['’]t\b|不", re.I)
MAX_MENTIONS = 64
_STANDARD_SETS = (
    ("yes", "no"), ("true", "false"), ("positive", "negative", "neutral"), ("entailment", "neutral", "contradiction"),
    ("correct", "incorrect"), ("right", "wrong"), ("agree", "disagree"),
)  # fmt: skip


UNCLEAR = frozenset({""})
"""What a text chooses that speaks of several options and says of none clearly that it is the one."""


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
            folded = squeeze(fold(tidy(text))) or squeeze(fold(text))
            # One sign is an option's text where it cannot be another's letter or number.
            if folded and (len(folded) > 1 or not folded.isascii() or (not folded.isalpha() and key in self.letters)):
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
        """What a short claim chooses: several when it names several, empty when it names none, or UNCLEAR."""
        bare = _LATEX.sub(r"\1", claim[:MAX_CLAIM])
        if "\\" in bare:
            bare = _UNESCAPED.sub(r"\1", bare)
        text = squeeze(tidy(bare))
        if not text:
            text = squeeze(bare).strip("*_` .$")
            return frozenset({self.names[text]}) if text in self.names else frozenset()
        folded = fold(text)
        if folded in self.names:
            return frozenset({self.names[folded]})
        if (letters := self._lead_letters(text)) is not None:
            return letters
        return self._named(folded) or self._mentioned_letters(text)

    def _lead_letters(self, text: str) -> frozenset[str] | None:
        match = _LEAD.match(text)
        if match is None or match[1].upper() not in self.letters:
            return None
        rest = text[match.end(1) :]
        if denied(text, match.start(1), match.end(1)):
            return None
        dressed = match.start(1) > 0 or rest[:1] in tuple(").]:}*")
        if not rest.strip(" .*_)") or dressed or (match[1].isupper() and _AFTER_LETTER.match(rest)):
            letters = {match[1].upper()}
            last = match.end(1)
            for other in _MENTION.finditer(text, last):
                letter = (other[1] or other[2] or other[3]).upper()
                if letter in self.letters and _joined(text, last, other.start(), other.end()):
                    letters.add(letter)
                    last = other.end()
                else:
                    break
            if len(letters) > 1 and rest.startswith(".") and _PREDICATE.match(text, last):
                return UNCLEAR  # "A. B and C are wrong"
            # "B) London" where London is option A names two options.
            head = next(iter(pieces(rest.lstrip(" .):*_-–—]}"))), "")
            text_choice = self.names.get(squeeze(fold(tidy(head))))
            if text_choice in self.letters:
                letters.add(text_choice)
            return frozenset(letters)
        return None

    def _named(self, folded: str) -> frozenset[str]:
        if self.glued is not None and (both := self.glued.search(folded)) is not None:
            return frozenset(self.names[name] for name in both.groups() if name)
        text = undoubted(folded)
        found = [
            (self.names[match.group()], match.start(), match.end())
            for match in islice(self.pattern.finditer(text), MAX_MENTIONS)
            if match.group() != "no" or not _DETERMINER.match(text, match.end())
        ]
        return _asserted(text, found)

    def _mentioned_letters(self, text: str) -> frozenset[str]:
        if _FORMULA.search(text):
            return frozenset()
        found = []
        for match in islice(_MENTION.finditer(text), MAX_MENTIONS):
            letter = (match[1] or match[2] or match[3]).upper()
            is_word = (
                letter in "AI"
                and match[3]
                and re.match(r"\s+[a-z]", text[match.end() :])
                and not _AFTER_LETTER.match(text[match.end() :])
            )
            if letter in self.letters and not is_word:  # else the article, the pronoun
                found.append((letter, match.start(), match.end()))
        return _asserted(text, found)

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
        main = parts_of(text).main
        return self._uncued(main, found.last_line if main is text else claims(main).last_line)

    def _uncued(self, text: str, last_line: str) -> list[frozenset[str]]:
        lines = [line for line in text.split("\n") if line.strip()]
        whole = squeeze(text)
        stated = [frozenset({name}) for line in lines[:200] if (name := self.names.get(squeeze(fold(tidy(line)))))]
        if (right := self._by_verdict(lines)) is not None:
            return [right, *stated]
        marked = {match[1] for match in _MARKED_LINE.finditer(text)} & self.letters
        if marked and _MARKED_LINE.match(last_line):
            stated.append(frozenset(marked))
        if len(set(stated)) > 1 or (stated and len(stated[0]) > 1):
            return stated  # a list
        sentences = pieces(text[-8000:])[-200:]
        if selected := self._selected(sentences):
            return stated + selected
        unclear = _BUT_STEMS.stand_in(whole.casefold()) and _ALL_BUT.search(whole) is not None
        if len(lines) == 1 and len(whole) <= 160 and (choice := self.choices(whole)):
            last = self.choices(sentences[-1]) if len(sentences) > 1 else choice
            if choice != UNCLEAR and not unclear and last in ({choice, frozenset()} if len(choice) == 1 else {choice}):
                return [choice]
            unclear = True
        if unclear:
            return [UNCLEAR]
        if lines and (lead := self._leading(lines[0])):
            stated.append(lead)
        sentence = sentences[-1:]
        last = self.choices(sentence[0]) if sentence else frozenset()
        if last and last != UNCLEAR and stated and stated[-1] != last:
            # Two that stand alone are two guesses; else the text is not understood.
            return [*stated, last] if self._bare(sentence[0]) or stated[-1] < last else [UNCLEAR]
        return stated or ([last] if last else [])

    def _by_verdict(self, lines: list[str]) -> frozenset[str] | None:
        """The option that lines about several options call the right one; UNCLEAR where several are; None without such lines."""
        verdicts: dict[str, bool] = {}
        for line in lines[:200]:
            marker = _MARKED_LINE.match(_SIGNS.sub("", line[:24]).lstrip() + line[24:])
            if marker is not None and marker[1] in self.letters and (word := _VERDICT.search(line)) is not None:
                verdicts[marker[1]] = word["word"].lower() in _POSITIVE
        if len(verdicts) < 2:
            return None
        right = {letter for letter, is_right in verdicts.items() if is_right}
        return frozenset(right) if len(right) == 1 else UNCLEAR

    def _selected(self, sentences: list[str]) -> list[frozenset[str]]:
        """What the sentences that select something choose: "I'd go with C", "C is the right one", "So C."."""
        chosen = []
        for sentence in sentences:
            if _SELECT_STEMS.stand_in(sentence.casefold()) and (cue := _SELECTS.search(sentence)):
                chosen.append(self.choices(_PREFERRED.split(sentence[cue.end() :], maxsplit=1)[0]))
            elif _RIGHT_WORDS.stand_in(sentence):
                chosen += [
                    frozenset({name})
                    for match, name in self._places(sentence)
                    if (name in self.letters or match.re is self.pattern)
                    and _IS_RIGHT.match(match.string, match.end())
                    and not denied(match.string, match.start(), match.end())
                ]
            elif len(sentence) <= 200 and (after := _THEREFORE.search(sentence)) is not None:
                chosen.append(self._bare(sentence[after.end() :]))
        return [choice for choice in chosen if choice]

    def _bare(self, text: str) -> frozenset[str]:
        """What a text chooses that is nothing but a letter, a label or an option's text."""
        bare = squeeze(tidy(text))
        name = bare.strip("() ").upper()
        name = name if name in self.letters else self.names.get(fold(bare), "")
        return frozenset({name}) if name else frozenset()

    def _places(self, text: str) -> list[tuple[re.Match[str], str]]:
        """Where a text names options, by their letters and by their words."""
        places = [(match, (match[1] or match[2] or match[3]).upper()) for match in islice(_MENTION.finditer(text), 16)]
        return places + [(match, self.names[match.group()]) for match in islice(self.pattern.finditer(fold(text)), 16)]

    def mentions(self, text: str, targets: frozenset[frozenset[str]]) -> bool:
        """Does a short text name one of the targets, where it chooses nothing that can be read?"""
        if len(text) > 160:
            return False
        names = {name for match, name in self._places(text) if not denied(match.string, *match.span())}
        if _ORDINAL.search(text):
            return True
        return not _NEGATED.search(text) and any(target <= names for target in targets)

    def _leading(self, line: str) -> frozenset[str]:
        """What a line chooses with its very first words."""
        text = squeeze(tidy(line[:MAX_CLAIM]))
        if (letters := self._lead_letters(text)) is not None:
            return letters
        folded = fold(text)
        match = self.pattern.match(folded)
        if match is None or not (match.end() == len(folded) or _ENDS_ANSWER.match(folded, match.end())):
            return frozenset()
        return self._named(folded)


def _asserted(text: str, found: list[tuple[str, int, int]]) -> frozenset[str]:
    """Which of the places where options are named choose: not denied, not what others say, not beside the point.

    Places joined by "and", "or" or commas stay together: naming several chooses several.
    """
    if not found:
        return frozenset()
    joined = [_joined(text, left[2], right[1], right[2]) for left, right in pairwise(found)]
    refused = [denied(text, start, end) or attributed(text, start) for _, start, end in found]
    named, listed = [False] * len(found), set[str]()
    for index, (_, start, _end) in enumerate(found):
        if _SPOKEN_OF.search(text[max(0, start - 60) : start]) or (
            index and named[index - 1] and joined[index - 1] and found[index][0] not in listed
        ):
            refused[index] = named[index] = True
            listed.add(found[index][0])
        else:
            listed.clear()
    for index in range(len(found) - 2, -1, -1):
        if joined[index] and refused[index + 1]:
            refused[index] = True  # "A, B and C are not"
    for index in range(1, len(found)):
        if joined[index - 1] and refused[index - 1] and _NOR.search(text[found[index - 1][2] : found[index][1]]):
            refused[index] = True  # "not A or B"
    kept = [index for index, gone in enumerate(refused) if not gone]
    names = {found[index][0] for index in kept}
    if len(names) <= 1:
        return frozenset(names)
    is_side = side_clauses(text)
    main = [index for index in kept if not is_side(found[index][1])] or kept
    names = {found[index][0] for index in main}
    if len(names) == 1:
        return frozenset(names)
    first = main[0]
    chain = {found[first][0]}
    last = first
    while last + 1 < len(found) and joined[last]:
        last += 1
        chain.add(found[last][0])
    if len(chain) > 1:
        return frozenset(chain)
    contrasts = [match.start() for match in islice(_CONTRAST.finditer(text), MAX_MENTIONS)]
    if contrasts:
        said = {
            found[index][0] for index in main if _CHOSEN.search(text[max(0, found[index][1] - 40) : found[index][1]])
        }
        return frozenset(said) if len(said) == 1 else UNCLEAR
    if found[first][1] == 0 and _ENDS_ANSWER.match(text, found[first][2]):
        return frozenset(chain)  # "Yes, ..." and what comes after
    return UNCLEAR


_PREDICATE = re.compile(r"[)*_]{0,3}\s{1,4}(?:[a-z]|\W{0,4}(?:is|are)\b)")


def _joined(text: str, end: int, start: int, after: int) -> bool:
    """Are two names, of which one ends at `end` and the next goes from `start` to `after`, enumerated together?"""
    between = text[end:start].strip("()") or " "
    if "." in between and _PREDICATE.match(text, after):
        return False  # the next sentence speaks of the second
    return _CHAIN.match(between) is not None


def _glued(names: list[str]) -> re.Pattern[str] | None:
    """Two names written as one word, of which one has several parts: "hatenot-hate" would else be read as its last part."""
    parted = [re.escape(name) for name in names if re.search(r"\w[\s_-]\w", name)]
    words = [re.escape(name) for name in names if len(name) > 1 and name[0].isalpha() and name[-1].isalpha()]
    if not parted or not words or len(names) > MAX_OPTIONS:
        return None
    some, any_name = "|".join(parted), "|".join(words)
    return re.compile(rf"({any_name})({some})|({some})({any_name})")


def _bounded(name: str) -> str:
    left = right = ""
    if name[0].isascii():
        left = (
            (r"(?<!\w)(?<!\d[.,])" if name[0].isdigit() else r"(?<!\w)") if name[0].isalnum() else r"(?<![\w<>=+*/-])"
        )
    if name[-1].isascii():
        right = (r"(?!\w|[.,]\d)" if name[-1].isdigit() else r"(?!\w)") if name[-1].isalnum() else r"(?![<>=+*/\w-])"
    return left + re.escape(name) + right


@lru_cache(maxsize=4096)
def _reader(options: tuple[tuple[str, str], ...], labels: tuple[str, ...]) -> _Reader:
    return _Reader(options, labels)


@lru_cache(maxsize=4096)
def _targets(
    options: tuple[tuple[str, str], ...], labels: tuple[str, ...], references: tuple[str, ...]
) -> frozenset[frozenset[str]]:
    """What a row's references choose."""
    return frozenset(map(_reader(options, labels).target, references)) - {frozenset()}


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
    if re.fullmatch(r"\(?[a-z][).]?", answer):
        last = max("J", answer.strip("().").upper())
        return (), tuple(letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if letter <= last)
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
        targets = _targets(options, labels, references)
        if not targets:
            return abstain("the reference is none of the options")
        text = visible_answer(sample.answer, sample.prompt)
        if not text.isascii():
            text = unicodedata.normalize("NFKC", text)
        said = reader.read(text, claims(text)) if text else []
        if not said and reader.mentions(text, targets):
            return abstain(
                "the right option is named, and it cannot be read whether it is chosen", readers_disagree=True
            )
        if not said:
            return ok(0.0, "no option chosen")
        if UNCLEAR in said:
            return abstain("several options are spoken of and none is clearly chosen", readers_disagree=True)
        if len(set(said)) > 1:
            return ok(0.0, "conflicting choices")
        return ok(1.0, "the right option") if said[0] in targets else ok(0.0, "another option, or several")
