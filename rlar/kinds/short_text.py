"""Is the short answer one of the accepted ones?

Equal means equal after folding case, width, punctuation, white space and a leading article; a number equals its words,
a date its other spellings. An answer may stand in a sentence, but a short one, that lists no alternatives, adds no other
number and does not deny it: naming many answers, or pasting the passage, does not win.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, cached_property, lru_cache
from itertools import islice
from typing import ClassVar

from rlar.kinds.denials import attributed, denied
from rlar.kinds.number import claimed_number, read_reference, same_number
from rlar.text.answers import Claims, body, claims, clean, fold, reference_answer, tidy, visible_answer
from rlar.text.clock import has_half, has_time, in_one_spelling
from rlar.text.sentences import dotted_words, parts_of, pieces, side_clauses
from rlar.tool import LibraryTool
from rlar.types import AnswerKind, Sample, Score, abstain, ok

MAX_EXTRA_WORDS = 12
"""A claim may hold so many words more than the accepted answer (a restated question), and at most four times as many
plus this."""
MAX_NOVEL_WORDS = 5
"""Of these, so many may be neither in the question nor function words."""
MAX_CLAIM = 600
MAX_REFERENCE_WORDS = 30
MAX_ALIASES = 64

_LATEX_TEXT = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mbox)\s*\{([^{}]{0,300})\}")
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0e7f"
_TOKEN = re.compile(rf"[{_CJK}]|\d+(?:[.,]\d+)*|[^\W\d_{_CJK}]+(?:['’][^\W\d_]+)?")
_LINKING_WORDS = """
is was are were be been not but rather instead no doubt it its this that he she they his her their in on at of by to from for with as and the
a an i think believe called named known answer would has have had did does do because es est ist war il elle
der die das la le el los les de du des von en y et und è é o um uma era fue 是 为 的 は が です 이 는
most likely probably certainly definitely surely clearly obviously say i'd that's it'd i'm sure guess so then yes で す
"""
_ARTICLE_WORDS = """
a an the le la les un une des der die das den dem ein eine einen einem el los las una unos unas il lo gli uno
i o os as um uma het de een en ett
"""
_LINKING = frozenset(_LINKING_WORDS.split())
_ARTICLES = frozenset(_ARTICLE_WORDS.split())
_CONJUNCTIONS = frozenset({"and", "or", "und", "et", "y", "e", "en", "och", "i", "和", "与", "及", "plus"})
_ALTERNATIVES = re.compile(
    r"\bor\b|\boder\b|\bou\b|[;|]|\s/\s|或|または|\beither\b|\bpossibly\b|\bmaybe\b|(?<=[^\W\d])/(?=[^\W\d])", re.I
)
_ALTERNATIVE_WORDS = frozenset({"or", "oder", "ou", "either", "possibly", "maybe"})
_ALTERNATIVE_SIGNS = re.compile(r"[;|]|\s/\s|或|または|(?<=[^\W\d])/(?=[^\W\d])")
_PAIRED = re.compile(r"(?:\s*(?:,\s*)?(?:\band\b|&|\bund\b|\bet\b|\bplus\b|\bas\s+well\s+as\b)\s*)(?=[^\W\d_a-z]|\d)")
"""After an answer: another name beside it."""
_PAIRED_BEFORE = re.compile(r"[^\W\d_a-z][\w.'’-]{0,40}\s+(?:and|&|und|et|plus|as\s+well\s+as)\s+(?:[Tt]he\s+)?\Z")
_CONTRAST = re.compile(
    r"\b(?:but|yet|however|although|instead|sondern|aber|mais|pero|sino|però|mas|но)\b|而是|但", re.I
)
_CORRECTS = re.compile(
    r"^[\W_]*(?:(?:no|but|however|actually|instead|wait|rather|in\s+fact|correction|yet|hmm)\b"
    r"|(?:it|that|this|he|she|they|the\s+\w{1,20}(?:\s+\w{1,20})?)\s+(?:is|was|were|are|must\s+be)\s+(?:actually\s+|in\s+fact\s+|really\s+|the\s+)?[^\W\d_a-z])"
)
_RANGE = re.compile(
    r"(?<![\w.,])(\d{1,4})\s*(?:[-–—−‐‑‒]|\b(?:to|until|till|through|bis|au?|al?|até)\b)\s*(\d{1,4})(?![\w,]|\.\d)"
)
_BETWEEN = re.compile(r"\b(?:between\s+(\d{1,4})\s+and|from\s+(\d{1,4})(?=\s*-))\s*(\d{0,4})", re.I)
_COUNTED = re.compile(r"(?<![\d,.])(\d[\d,]*+(?:\.\d++)?+)\s{0,4}[(（]?\s{0,4}([\u3400-\u9fff]{1,3})[)）]?\Z")
"""A number with its Chinese or Japanese measure word."""
_BEFORE_NUMBER = frozenset(
    ["a", "an", "the", "about", "around", "approximately", "roughly", "nearly", "some", "over", "almost", "exactly"]
)
_ANY_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_MONTH_NAMES = """
january jan januar janvier enero gennaio janeiro januari|february feb februar février febrero febbraio fevereiro februari
march mar märz mars marzo março maart|april apr avril abril aprile|may mai mayo maggio maio mei|june jun juni juin junio giugno junho
july jul juli juillet julio luglio julho|august aug août agosto augustus|september sept sep septembre septiembre settembre setembro
october oct oktober octobre octubre ottobre outubro|november nov novembre noviembre novembro|december dec dezember décembre diciembre dicembre dezembro
"""
_MONTHS = {
    name: index
    for index, names in enumerate(_MONTH_NAMES.strip().replace("\n", "|").split("|"), start=1)
    for name in names.split()
}
_DATE = re.compile(
    r"(?<!\w)(?:(?P<y1>\d{4})-(?P<m1>\d{1,2})-(?P<d1>\d{1,2})"
    r"|(?P<mon2>[^\W\d_]{3,10})\.?\s+(?P<d2>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<y2>\d{4})"
    r"|(?P<d3>\d{1,2})(?:st|nd|rd|th|er|[.º°])?(?:\s+(?:of|de|di))?\s+(?P<mon3>[^\W\d_]{3,10})\.?,?(?:\s+del?)?\s+(?P<y3>\d{4})"
    r"|(?P<d4>\d{1,2})\.\s?(?P<m4>\d{1,2})\.\s?(?P<y4>\d{4}))(?!\w)",
    re.I,
)
_SLASHED = re.compile(r"(?<![\w/])(\d{1,2})/(\d{1,2})/(\d{4})(?![\w/])")
"""Month first to some, day first to others."""
_CJK_DATE = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日")


def tokens(text: str) -> tuple[str, ...]:
    """Folded words (characters in Chinese, Japanese, Thai), without punctuation and accents that only NFKC removes."""
    folded = ranges(fold(_LATEX_TEXT.sub(r"\1", text)).replace("’", "'"))
    if "&" in folded:
        folded = folded.replace("&", " and ")
    found = []
    for token in _TOKEN.findall(folded):
        if token[0].isdigit():
            found.append(token.replace(",", "") if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", token) else token)
        else:
            found.append(token.removesuffix("'s"))
    return tuple(found)


def ranges(text: str) -> str:
    """The text with ranges of years and the like in one spelling: "from 1914 to 1918", "1914–1918" as 1914-1918."""
    if not any(map(str.isdigit, text)):
        return text
    text = _RANGE.sub(r"\1-\2", text)
    return _BETWEEN.sub(lambda match: f"{match[1]}-{match[3]}" if match[1] else match[2], text)


def _opens_number(answer: str) -> bool:
    """Whether an answer begins with its number: "Building Nine" is a name."""
    words = [word for word in answer.split() if word.casefold() not in _BEFORE_NUMBER]
    return bool(words) and (any(map(str.isdigit, words[0])) or read_reference(words[0]) is not None)


def without_article(words: tuple[str, ...]) -> tuple[str, ...]:
    return words[1:] if len(words) > 1 and words[0] in _ARTICLES else words


_YEARS, _DAYS = (tuple(f"{letter}{index}" for index in range(1, 5)) for letter in "yd")


def dates(text: str) -> set[tuple[int, int, int]]:
    """The full dates of a text as (year, month, day): ISO, "July 4, 1776", "4 juillet 1776", 04.07.1776, 1776年7月4日."""
    found = set()
    for match in _DATE.finditer(text):
        year, day = (next(filter(None, match.group(*names)), "") for names in (_YEARS, _DAYS))
        name = match["mon2"] or match["mon3"]
        month = _MONTHS.get(name.lower()) if name else int(match["m1"] or match["m4"])
        if month:
            found.add((int(year), month, int(day)))
    for year, month_, day in _CJK_DATE.findall(text):
        found.add((int(year), int(month_), int(day)))
    return found


_SYMBOLS = r"\\^$*+{}\[\]|<>=~@#_"
_SYMBOL = re.compile(f"[{_SYMBOLS}]")
_ATTACHED = re.compile(r"\w[+#^=~]|[\\^=~<]\w")
_CODE_SPAN = re.compile(r"`([^`\n]{1,400})`")


class _Target:
    """One accepted answer, prepared."""

    def __init__(self, answer: str) -> None:
        self.text = tidy(answer)
        self.has_time = has_time(self.text)
        self.has_half = has_half(self.text)
        if self.has_time:
            self.text = in_one_spelling(self.text, half=self.has_half)
        self.words = without_article(tokens(self.text))
        self.literal = "".join(fold(self.text).split())
        self.number = (
            read_reference(answer) if len(answer) <= 60 and len(self.words) <= 4 and _opens_number(answer) else None
        )
        self.dates = dates(self.text)
        self.numerals = {word for word in self.words if word[0].isdigit()}
        self.symbols = bool(_SYMBOL.search(self.text))
        self.lists = bool(_ALTERNATIVES.search(self.text)) or self.text.count(",") >= 2
        self.counted = _COUNTED.fullmatch(unicodedata.normalize("NFKC", self.text))
        self.same_name, self.similar_name = _shortened(self.text)

    @cached_property
    def _spaced(self) -> re.Pattern[str]:
        return _spelled(self.words, r"[^\W_]")

    @cached_property
    def _beside_unspaced(self) -> re.Pattern[str]:
        return _spelled(self.words, _SPACED)

    def _spelled_in(self, text: str) -> re.Pattern[str]:
        """What finds the words of this answer in a text; they stand alone, but for words of unspaced scripts."""
        return self._spaced if text.isascii() or _UNSPACED.search(text) is None else self._beside_unspaced

    @cached_property
    def must_stand(self) -> str:
        """A word that stands in every claim that meets this answer, folded and without LaTeX; "" where none has to."""
        is_plain = self.number is None and not (self.has_time or self.symbols or self.counted or self.dates)
        last = self.words[-1] if self.words and is_plain else ""
        return last if last.isalpha() and last not in _CONJUNCTIONS else ""

    def meets(self, claim: str, asked: frozenset[str] = frozenset()) -> bool:
        """Does this claim give this answer, and no other beside it? `asked`: the words of the question."""
        text = tidy(claim)
        if self.has_time:
            text = in_one_spelling(text, half=self.has_half)
        if self.symbols:
            return self._literally(claim, text)
        if self.same_name is not None:
            text = self.same_name.sub(lambda _: self.text, text)
        if (
            self.counted
            and (says := self._counts(unicodedata.normalize("NFKC", _LATEX_TEXT.sub(r"\1", text)))) is not None
        ):
            return says
        if self.number is None and _ATTACHED.search(_LATEX_TEXT.sub(r"\1", text)):
            return False  # C++ is not C
        if not self.words:
            return bool(self.literal) and "".join(fold(text).split()) == self.literal
        words = without_article(tokens(text))
        if words == self.words:
            return self._same_signs(text)
        if not words or len(words) > min(len(self.words) + MAX_EXTRA_WORDS, 4 * len(self.words) + MAX_EXTRA_WORDS):
            return False
        if self.dates:
            return dates(text) == self.dates
        if self.number is not None and (claimed := claimed_number(text)) is not None:
            if self.number.unit is not None and all(number.unit is not None for number in claimed):
                return all(same_number(number, self.number) for number in claimed)
            unit = {word for word in self.words if not word[0].isdigit()} if self.numerals else set()
            said_unit = {word for word in words if not word[0].isdigit()}
            return all(same_number(number, self.number) for number in claimed) and (
                not unit or not said_unit or bool(unit & said_unit)
            )
        return self._stands_in(text, words, asked)

    def _literally(self, claim: str, text: str) -> bool:
        """An answer with symbols (a pattern, C#, a formula) must stand there sign by sign; case counts beside a backslash."""
        flags = 0 if "\\" in self.text else re.I
        pieces = r"\s*".join(
            re.escape(character) for character in unicodedata.normalize("NFKC", self.text) if not character.isspace()
        )
        for said in (claim.strip(), text, *_CODE_SPAN.findall(claim)):
            if re.fullmatch(pieces, unicodedata.normalize("NFKC", said).strip(), flags):
                return True
        if len(tokens(text)) > len(self.words) + MAX_EXTRA_WORDS or _ALTERNATIVES.search(text.replace(self.text, " ")):
            return False
        found = re.search(
            rf"(?<![\w{_SYMBOLS}/-]){pieces}(?![\w{_SYMBOLS}]|\s*[-+*/]\s*\w)",
            unicodedata.normalize("NFKC", text),
            flags,
        )
        return found is not None and not denied(text, found.start(), found.end())

    def _counts(self, text: str) -> bool | None:
        """Does a text count to this number of this unit? None where it gives no number."""
        assert self.counted is not None
        number, unit = self.counted[1].replace(",", ""), self.counted[2]
        if _ALTERNATIVES.search(text):
            return False
        given = list(_ANY_NUMBER.finditer(text))[:32]
        if not given:
            return None
        after = [text[match.end() : match.end() + 8].lstrip(" (（$}\\)") for match in given]
        result = [
            index for index, match in enumerate(given) if text[: match.start()].rstrip(" $").endswith(("=", "＝"))
        ]
        with_unit = [index for index, rest in enumerate(after) if rest.startswith(unit)]
        chosen = with_unit or result[-1:] or (range(1) if len(given) == 1 else ())
        said = {given[index][0].replace(",", "") for index in chosen}
        if said != {number} or any(denied(text, given[index].start(), given[index].end()) for index in chosen):
            return False
        return bool(with_unit) or all(not after[index] or not after[index][0].isalpha() for index in chosen)

    def _same_signs(self, text: str) -> bool:
        """Signs and operators are no words, but they change a number: -5 is not 5."""
        if not self.numerals:
            return True
        return _signs(text) == _signs(self.text)

    def _stands_in(self, text: str, words: tuple[str, ...], asked: frozenset[str]) -> bool:
        size = len(self.words)
        start = next((at for at in range(len(words) - size + 1) if words[at : at + size] == self.words), None)
        if start is None:
            return False
        if not self.lists and (_lists_alternatives(text, words) or text.count(",") + text.count("、") >= 2):
            return False
        if self.numerals and {word for word in words if word[0].isdigit()} - self.numerals:
            return False
        rest = words[:start] + words[start + size :]
        linking = sum(word in _LINKING or word in asked for word in rest)
        plain = sum((word in _LINKING and word not in _CONJUNCTIONS) or word in asked for word in rest)
        if not plain and len(rest) > 1 and _CONJUNCTIONS & {rest[0], rest[-1]}:
            return False  # "Paris and London"
        if not self._is_said(text, fragment=not plain):
            return False
        if len(rest) - linking > MAX_NOVEL_WORDS:
            return False
        # Without a word that links, more than one word beside the answer is a list of guesses.
        return bool(linking) or len(rest) <= 1 or (bool(re.search(r"[(,:–—]", text)) and start == 0 and len(rest) <= 3)

    def _is_said(self, text: str, *, fragment: bool, aside: bool = False) -> bool:
        """Does every place where the answer stands say it: undenied, nobody else's view, and of it alone?

        Args:
            aside: one in a clause that only explains or concedes is enough.
        """
        if not self.words:
            return True
        text = text.replace("’", "'")
        if len(text.casefold()) != len(text):
            text = text.casefold()
        is_side = side_clauses(text) if len(text) > len(self.text) + 24 else None
        in_main = is_side is None
        for place in islice(self._spelled_in(text).finditer(text), 8):
            start, end = place.span()
            before = text[max(0, start - 60) : start]
            if denied(text, start, end) or attributed(text, start) or _BESIDE.search(before):
                return False
            if _COMPOUND.match(text, end):
                return False  # "Portuguese-speaking"
            if not self.lists and (_PAIRED.match(text, end) or (_joins(before) and _PAIRED_BEFORE.search(before))):
                return False
            if fragment and re.match(r"['’]s?\s+\w", text[end : end + 4]):
                return False  # "X's castle" is another thing than X
            in_main = in_main or (is_side is not None and not is_side(start))
        return in_main or aside

    def may_be_said(self, claim: str, asked: frozenset[str]) -> bool:
        """Does a sentence hold this answer, undenied, with words of the question or such as link? It may say it, and more."""
        if not self.words or len(claim) > MAX_CLAIM or self._spelled_in(claim).search(claim) is None:
            return False
        words = tokens(tidy(claim))
        linking = sum(word in _LINKING or word in asked for word in words)
        return (
            (linking >= 1 or _LABEL.match(claim) is not None)
            and not _ALTERNATIVES.search(claim.replace(";", ","))
            and self._is_said(claim, fragment=False, aside=True)
        )

    def leaves_open(self, claim: str, asked: frozenset[str], prompted: frozenset[str]) -> bool:
        """May a claim give this answer or not: another name beside it, a name with one initial, a date of unknown order?"""
        if self.similar_name is not None and self.similar_name.search(claim):
            return True
        if self.dates and (match := _SLASHED.search(claim)):
            one, other, year = map(int, match.groups())
            return bool({(year, one, other), (year, other, one)} & self.dates)
        if len(claim) > MAX_CLAIM:
            return False
        words = frozenset(without_article(tokens(tidy(claim))))
        named = self.counted is None and not self.numerals
        if named and words and words < frozenset(self.words) and prompted.issuperset(frozenset(self.words) - words):
            return True  # "the Pacific", where an ocean is asked for
        names = _TWO_NAMES.fullmatch(tidy(claim))
        if names is None or self.lists:
            return False
        pair = [without_article(tokens(name)) for name in names.groups()]
        return self.words in pair and not any(asked.issuperset(words) for words in pair)

    def is_contrasted(self, claim: str) -> bool:
        """Does a claim that meets this answer go on with "but" and another name?"""
        contrast = _CONTRAST.search(claim)
        if contrast is None or not self.words:
            return False
        spelled = self._spelled_in(claim)
        if spelled.search(claim, contrast.end()):
            return False
        return spelled.search(claim) is not None and re.search(r"[^\W\d_a-z]\w", claim[contrast.end() :]) is not None


_CAPITALS = r"[^\W\d_a-z][\w.'’-]{1,30}(?:\s[^\W\d_a-z][\w.'’-]{0,30}){0,3}"
_LABEL = re.compile(r"\W{0,4}[^\W\d_]{2,20}(?:\s[^\W\d_]{2,20})?[*_]{0,2}\s?[:：]")
_TWO_NAMES = re.compile(rf"({_CAPITALS}),\s?({_CAPITALS})")
_NAME = re.compile(r"[^\W\d_a-z][\w'’-]*(?:[.\s]+[^\W\d_a-z][\w'’-]*){1,4}")


def _shortened(text: str) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
    """What a name may be written as with initials: what is the same name, and what may be another's; None for no name."""
    if len(text) > 60 or _NAME.fullmatch(text) is None:
        return None, None
    *given, last = [re.escape(word) for word in re.split(r"[.\s]+", text)]
    if len(last) < 3:
        return None, None
    parts = [rf"{name}(?:\.|[^\W\d_A-Z]+)?" if len(name) == 1 else rf"(?:{name}|{name[0]}\.?)" for name in given]
    gap = r"[\s.]{1,2}"
    if len(given) == 1:
        similar = (
            rf"(?<!\w)(?<!\.\s){parts[0]}{gap}{last}\b"
            if len(given[0]) == 1
            else rf"(?<!\w)(?<!\.\s){given[0][0]}\.?\s{last}\b"
        )
        same = rf"(?<!\w){given[0]}(?:\s[A-Z]\.?){{1,2}}\s{last}\b" if len(given[0]) > 1 else None
        return re.compile(same) if same else None, re.compile(similar)
    initials = "".join(name[0] for name in given)
    spelled = r"[\s.]{0,2}".join(parts)
    same = rf"(?<!\w)(?:{spelled}{gap}|{initials}\s){last}\b"
    return re.compile(same), re.compile(rf"(?<!\w){given[0]}\s{last}\b") if len(given[0]) > 1 else None


def _joins(before: str) -> bool:
    return before.endswith((" ", "\n")) and before.rstrip().endswith(
        ("and", "&", "und", "et", "plus", "as", "the", "The")
    )


@lru_cache(maxsize=1024)
def _words_of(prompt: str) -> frozenset[str]:
    """The words of a prompt, of which a group of completions has one."""
    return frozenset(tokens(prompt))


def _lists_alternatives(text: str, words: tuple[str, ...]) -> bool:
    """What _ALTERNATIVES finds, sooner, where the words are known."""
    return not _ALTERNATIVE_WORDS.isdisjoint(words) or _ALTERNATIVE_SIGNS.search(text) is not None


def _signs(text: str) -> str:
    return re.sub(r"[^-+*/^<>=]", "", ranges(re.sub("[−–—]", "-", text)))


_SPACED = rf"[^\W_{_CJK}\uac00-\ud7a3]"
"""A letter or digit of a script that puts spaces between words; takes milliseconds to compile."""
_SPACED_SIGN = re.compile(_SPACED)
_UNSPACED = re.compile(rf"[{_CJK}\uac00-\ud7a3]")


def _spelled(words: tuple[str, ...], letter: str) -> re.Pattern[str]:
    """The words in a row with at most four signs between two, and with no `letter` beside them."""
    # A class of so many characters takes seven times as long to compile with re.I, which changes nothing about it.
    pieces = [re.escape(word) for word in words]
    pattern = r"(?:[\W_]|'s\b){0,5}".join("(?:and|&)" if piece == "and" else piece for piece in pieces)
    left = f"(?-i:(?<!{letter}))" if _SPACED_SIGN.match(words[0]) else ""
    right = f"(?-i:(?!{letter}))" if _SPACED_SIGN.match(words[-1][-1]) else ""
    return re.compile(left + pattern + right, re.I)


@lru_cache(maxsize=8192)
def answer_in_words(answer: str) -> _Target:
    """One accepted answer, ready to be matched with `meets(claim)`."""
    return _Target(answer)


def accepted(sample: Sample) -> list[_Target]:
    """The row's accepted answers that are short enough to be matched."""
    found = []
    for reference in (sample.references or ((sample.reference,) if sample.reference else ()))[:MAX_ALIASES]:
        answer = (
            reference_answer(reference) if "\\boxed" in reference or "####" in reference else clean(reference).strip()
        )
        if answer and len(answer) <= 400:
            target = answer_in_words(answer)
            if (target.words or target.literal) and len(target.words) <= MAX_REFERENCE_WORDS:
                found.append(target)
    return found


class ShortTextMatch(LibraryTool):
    """1.0 when the answer that the completion claims is an accepted one, else 0.0."""

    name = "short_text"
    answer_kinds: ClassVar[frozenset[AnswerKind]] = frozenset({AnswerKind.SHORT_TEXT})
    role = "verifier"
    runs = "inline"
    summary = "claimed answer is an accepted one (folded, articles, numerals, dates; no lists of guesses, no dumps)"

    def score_one(self, sample: Sample) -> Score:
        targets = accepted(sample)
        if not targets:
            return abstain("no short reference")
        text = visible_answer(sample.answer, sample.prompt)
        if not text:
            return ok(0.0, "no answer")
        prompted = _words_of(sample.prompt[-2000:])
        asked = prompted - {word for target in targets for word in target.words}
        dotted = frozenset().union(*(dotted_words(target.text) for target in targets))

        needed = frozenset(target.must_stand for target in targets)

        @cache
        def meets(claim: str) -> bool:
            if "" not in needed and "\\" not in claim and not any(map(fold(claim).__contains__, needed)):
                return False
            said = pieces(claim[:MAX_CLAIM], dotted)[:1]
            first = said[0] if said and said[0] != claim else ""
            told = dict.fromkeys(
                filter(None, (claim, first, *map(_main_clause, (claim, first)), *map(_affirmed, (claim, first))))
            )
            return any(target.meets(piece, asked) for piece in told for target in targets)

        def score(verdict: bool, claimed: Sequence[str]) -> Score:
            open_to = len(claimed) == 1 and any(target.leaves_open(claimed[0], asked, prompted) for target in targets)
            if open_to and not any(target.words == without_article(tokens(tidy(claimed[0]))) for target in targets):
                return abstain("it may be an accepted answer, and another", readers_disagree=True)
            if verdict and all(any(target.is_contrasted(claim) for target in targets) for claim in claimed):
                return abstain('an accepted answer is named, and another after a "but"', readers_disagree=True)
            return ok(1.0, "an accepted answer") if verdict else ok(0.0, "another answer, or several")

        found = claims(text, sample.prompt)
        if tier := found.boxed or found.final or found.cued:
            return score(all(map(meets, tier)), tier)
        text = parts_of(text).main.strip()
        if "\n" not in text and not any(target.dates for target in targets):
            text = _LIST_MARK.sub("", text, count=1)
        parts = pieces(text, dotted)
        verdict = uncued(text, found, meets, parts)
        if verdict and len(parts) > 1 and not meets(parts[-1]) and any(map(_CORRECTS.match, parts[1:])):
            # Cue first: the opening sentence; structure first: the one that ends the text.
            return abstain("the first sentence names an accepted answer, a later one another", readers_disagree=True)
        if not verdict and any(
            target.may_be_said(part, asked) for part in {*parts[:1], *parts[-1:]} for target in targets
        ):
            return abstain("an accepted answer stands in a sentence that says more", readers_disagree=True)
        return score(verdict, [part for part in parts if meets(part)] or [text])


_LIST_MARK = re.compile(r"\A(?:\d{1,2}[.)]|[-*•])\s{1,4}(?=[^\W\d])")
"""Before the only item of a list."""
_BESIDE = re.compile(
    r"\b(?:before|after|(?<!other\s)than|along\s+with|together\s+with|alongside|(?:credited|attributed|moved|compared)\s+to|followed\s+by|dated|unlike)\s+"
    r"(?:the\s+|a\s+)?[\"'“‘]?\Z",
    re.I,
)
"""Before a name: it is what something else is set beside."""
_COMPOUND = re.compile(r"-[^\W\d_]{2}")
_LED_BY = re.compile(
    r"\A\s*(?:since|as\s+of|while|although|though|because|when|if|according\s+to|in)\b[^,.;\n]{1,120},\s+(?=\S)", re.I
)
_FOLLOWED_BY = re.compile(
    r",\s+(?:which|who|whose|where|when|after|before|although|though|while|with|exactly|commissioned|followed|on|in)\b[^\n]{0,300}\Z",
    re.I,
)


_CLAUSE = re.compile(
    r"[;；，—]|(?<=\s)[–-](?=\s)|,(?=\s(?:and\s|but\s)?(?:it|that|this|he|she|they|the\s\w+|i)\b(?:\s\w+n['’]t|['’]s|\s\w+\snot))",
    re.I,
)
_DENIAL = re.compile(
    r"\b(?:is|are|was|were|do|does|did|has|have|can|could|would)(?:n['’]t|\s+not)\b|\bcannot\b|\bis\s+(?:wrong|incorrect|false|excluded|ruled\s+out)\b|^(?:not|nicht|pas|non?|не)\b|不是|并非|ではな",
    re.I,
)


def _affirmed(claim: str) -> str:
    """A claim without the clauses that only deny something ("it isn't A; it's B"); "" where that leaves it as it is."""
    if _DENIAL.search(claim) is None:
        return ""
    clauses = [clause for clause in map(str.strip, _CLAUSE.split(claim)) if clause]
    kept = [clause for clause in clauses if _DENIAL.search(clause) is None]
    return "; ".join(kept) if len(kept) == 1 < len(clauses) else ""


def _main_clause(sentence: str) -> str:
    """A sentence without a clause that leads it in and one that follows it; "" where it has neither."""
    sentence = sentence.strip()
    main = _FOLLOWED_BY.sub("", _LED_BY.sub("", sentence, count=1), count=1)
    return main if main != sentence else ""


_INTERJECTION = re.compile(
    r"[\W_]*(?:(?:(?:great|good|nice|interesting)\s+question|sure(?:\s+thing)?|certainly|of\s+course|okay|ok|well|hmm+|let\s+me\s+(?:think|see)|let['’]s\s+see|no|yes|wait|thanks?|natürlich|claro|bien\s+sûr|certo|конечно)[\W_]*)+\Z",
    re.I,
)
"""A few words that name nothing."""


_FIVE_WORDS = re.compile(r"(?<![^\s])(?:[a-zA-Z]++[,;:]?\s++){4}[a-zA-Z]")
"""What holds these holds more than three tokens, of which a range of numbers may swallow the last."""


def uncued(text: str, found: Claims, meets: Callable[[str], bool], parts: Sequence[str] | None = None) -> bool:
    """Does a completion without any cue say it: whole, in bold, or in its first or last sentence?

    Fragments (lines or sentences of at most three words) are guesses: all of them must be right.
    """
    parts = pieces(text) if parts is None else parts
    if len(text) <= MAX_CLAIM and len(parts) == 1 and meets(text):
        return True
    guesses = [part for part in parts[:-1] if not (part.rstrip(" *_").endswith("?") and not parts[-1].endswith("?"))]
    fragments = [
        part
        for part in (*guesses, *parts[-1:])
        if _FIVE_WORDS.search(part, 0, 80) is None and len(tokens(part[:80])) <= 3 and not _INTERJECTION.match(part)
    ]
    if len(fragments) > 64 or not all(map(meets, fragments)):
        return False
    if found.bold and len(parts) <= 1 and all(map(meets, found.bold)):
        return True
    ends = [part for part in (*parts[:1], *parts[-1:]) if len(parts) == 1 or not part.rstrip(" *_").endswith("?")]
    return any(len(part) <= MAX_CLAIM and meets(part) for part in ends)


class ShortTextF1(LibraryTool):
    """Word overlap (F1) of the claimed answer with the nearest accepted one, in [0, 1]; of alternatives the worst counts."""

    name = "short_text_f1"
    answer_kinds: ClassVar[frozenset[AnswerKind]] = frozenset({AnswerKind.SHORT_TEXT})
    role = "quality"
    runs = "inline"
    summary = "token F1 of the claimed answer against the nearest accepted one"

    def score_one(self, sample: Sample) -> Score:
        targets = accepted(sample)
        if not targets:
            return abstain("no short reference")
        text = visible_answer(sample.answer, sample.prompt)
        if not text:
            return ok(0.0, "no answer")
        found = claims(text)
        tier = found.boxed or found.final or found.cued or (body(text),)
        claim = tidy(" ".join(dict.fromkeys(tier))[:4000])
        # "A or B" is a bet on both, unless the accepted answer is of that kind itself.
        guesses = [claim] if any(target.lists for target in targets) else _ALTERNATIVES.split(claim)
        given = [without_article(words) for guess in guesses if (words := tokens(guess))]
        worst = min((max(overlap_f1(words, target.words) for target in targets) for words in given), default=0.0)
        return ok(worst, "token F1")


def overlap_f1(words: tuple[str, ...], wanted: tuple[str, ...]) -> float:
    """Harmonic mean of precision and recall over the two bags of words."""
    if not words or not wanted:
        return 0.0
    shared = sum((Counter(words) & Counter(wanted)).values())
    return 2 * shared / (len(words) + len(wanted))
