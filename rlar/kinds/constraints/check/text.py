"""Counting units of a text: words, sentences, paragraphs, bullets, highlights.

The definitions follow common evaluation practice: words are runs of word characters, paragraphs are set apart by blank
lines, sentences end at . ! or ? before white space. All of it is linear in the length of the text.
"""

from __future__ import annotations

import re

from rlar.kinds.constraints.read.lexicon import word_set

_WORD = re.compile(r"\w+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_NO_SPACE_RUN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
_STAR_BULLET = re.compile(r"^[ \t]*\*[^*\n][^\n]*$|^[ \t]*[-•–‣◦▪·+](?:[ \t][^\n]*|[^\s\-•][^\n]*)$", re.MULTILINE)
_NUMBERED = re.compile(r"^[ \t]*\(?\d{1,3}[.)][ \t]+\S", re.MULTILINE)
_HEADING = re.compile(r"^[ \t]{0,3}#{1,6}[ \t]+\S[^\n]*$", re.MULTILINE)
_ITALIC = re.compile(r"\*([^\n*]+)\*")
_BOLD = re.compile(r"\*\*([^\n*]+)\*\*")
_UNDERSCORED = re.compile(r"(?<![\w_])_([^\n_]+)_(?![\w_])")
_PLACEHOLDER = re.compile(r"\[[^\n\[\]]*\]")
_EMOJI = re.compile(
    "[\U0001f300-\U0001faff\U00002600-\U000027bf\U0001f1e6-\U0001f1ff\U00002b50\U00002b55\U0000231a\U0000231b\U000023e9-\U000023f3](?:[\ufe0f\U0001f3fb-\U0001f3ff])?(?:\u200d[\U0001f300-\U0001faff\u2600-\u27bf]\ufe0f?){0,4}"
)
_URL = re.compile(r"https?://[^\s)>\]]+|\bwww\.[^\s)>\]]+")
_HASHTAG = re.compile(r"(?<![\w&])#\w+")
_ABBREVIATIONS = word_set(
    "mr mrs ms dr prof st sr jr vs etc e.g i.e eg ie approx no fig vol inc ltd co corp dept est gen gov sgt capt col lt rev hon "
    "jan feb mar apr jun jul aug sep sept oct nov dec a.m p.m u.s u.k ph.d b.a m.a z.b d.h u.a bzw ca usw cf al"
)
_END = re.compile(r"((?<![.!?…])[.!?…]++|(?<![。！？])[。！？]++)[\"'”’»)\]*_]*(?=\s|$)|[。！？]")


def words(text: str) -> list[str]:
    """Runs of word characters; in scripts without spaces every two characters count as one word."""
    runs = _WORD.findall(text)
    if _CJK.search(text) is None:
        return runs
    result: list[str] = []
    for word in runs:
        at = 0
        for run in _NO_SPACE_RUN.finditer(word):
            if run.start() > at:
                result.append(word[at : run.start()])
            result.extend(run.group()[i : i + 2] for i in range(0, len(run.group()), 2))
            at = run.end()
        if at < len(word):
            result.append(word[at:])
    return result


def joined_words(text: str) -> int:
    """Words where "don't" and "well-known" count as one, as most readers count them."""
    joints = len(_JOINT.findall(text))
    return len(words(text)) - joints


_JOINT = re.compile(r"(?<=\w)['’-](?=\w)")


def sentences(text: str) -> list[str]:
    """Stretches that end at . ! ? … before white space; not after abbreviations, initials and list numbers."""
    result: list[str] = []
    start = 0
    for match in _END.finditer(text):
        if (
            match.group(1) == "."
            and not text[match.start() - 1 : match.start()].isspace()
            and _dot_inside(text, start, match.start(), match.end())
        ):
            continue
        if _WORD.search(text, start, match.end()):
            result.append(text[start : match.end()].strip())
        start = match.end()
    rest = text[start:].strip()
    if _WORD.search(rest):
        result.append(rest)
    return result


def _dot_inside(text: str, start: int, dot: int, end: int) -> bool:
    head = text[max(start, dot - 24) : dot]
    last = head.split()[-1].lstrip("(\"'*[") if head.split() else ""
    if last.lower() in _ABBREVIATIONS:
        following = text[end : end + 3].strip()
        return not (last.lower() in ("etc", "a.m", "p.m", "inc") and following[:1].isupper())
    if len(last) == 1 and last.isalpha() and last.isupper() and last != "I":
        return True
    # A list number opens its line: "1. Boil the water".
    return last.isdigit() and text[start:dot].strip() == last


def paragraphs(text: str, separator: str = "\n\n") -> list[str]:
    """Non-empty stretches between blank lines, or between lines of a divider such as ***."""
    if separator == "\n\n":
        return [piece.strip() for piece in re.split(r"\n[ \t]*\n", text) if piece.strip()]
    return [piece for piece in split_parts(text, separator) if piece]


def split_parts(text: str, separator: str) -> list[str]:
    """Stripped stretches between dividers; empty ones are kept, apart from the first and last.

    Where a divider has a line to itself, only such lines divide: ***bold italics*** do not.
    """
    spaced = r"[ ]?".join(map(re.escape, separator)) if set(separator) == {"*"} else re.escape(separator)
    pieces = re.split(rf"^[ \t]*{spaced}[ \t]*$", text, flags=re.MULTILINE) if separator.strip() else [text]
    if len(pieces) == 1:
        pieces = re.split(rf"(?<!\*){spaced}(?!\*)", text) if separator == "***" else text.split(separator)
    pieces = [piece.strip() for piece in pieces]
    if len(pieces) > 1 and not pieces[0]:
        pieces = pieces[1:]
    if len(pieces) > 1 and not pieces[-1]:
        pieces = pieces[:-1]
    return pieces


def lines(text: str) -> list[str]:
    """Non-empty lines."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def bullets(text: str) -> list[str]:
    """Lines that open with a bullet mark (* - • +); a line in bold is none, nor a divider."""
    return [line for line in _STAR_BULLET.findall(text) if re.search(r"\w", line)]


def numbered_items(text: str) -> int:
    """Lines that open with "1." or "1)"."""
    return len(_NUMBERED.findall(text))


def headings(text: str) -> list[str]:
    """Markdown headings."""
    return _HEADING.findall(text)


def highlights(text: str, style: str | None = None) -> int:
    """Stretches of emphasis, *italic* or **bold**, that are not empty."""
    bold = sum(1 for inner in _BOLD.findall(text) if inner.strip())
    if style == "bold":
        return bold
    return bold + sum(1 for inner in _ITALIC.findall(_BOLD.sub(" ", text)) if inner.strip())


def underscored(text: str) -> int:
    """Stretches between single underscores, the other way of writing italics."""
    return sum(1 for inner in _UNDERSCORED.findall(text) if inner.strip())


def placeholders(text: str) -> int:
    """Stretches in square brackets."""
    return len(_PLACEHOLDER.findall(text))


def capital_words(text: str) -> int:
    """Words written in capitals, one-letter words included."""
    return sum(1 for token in re.findall(r"[^\W_]+(?:[-.'’][^\W_]+)*", text) if token.isupper())


def emojis(text: str) -> int:
    """How many emojis there are, joined ones counted once."""
    return len(_EMOJI.findall(text))


def links(text: str) -> int:
    """How many addresses of the web there are."""
    return len(_URL.findall(text))


def hashtags(text: str) -> int:
    """How many words there are behind a #."""
    return len(_HASHTAG.findall(text))


def visible_characters(text: str) -> int:
    """Characters of the stripped text, spaces included."""
    return len(text.strip())


def plain(text: str) -> str:
    """For comparison: one space between words, straight quotation marks, case folded."""
    return straight(text).casefold()


def occurrences(phrase: str, folded: str, *, inside: bool = False) -> int:
    """How often a word or phrase stands in a text that `plain` folded, as whole words: "art" is not in "party".

    Args:
        inside: parts of longer words count, too, as they do in the official IFEval checker.
    """
    wanted = plain(phrase)
    if inside or not wanted:
        return folded.count(wanted) if wanted else 0
    # Scripts that put no spaces between words have no whole words to look for.
    before = r"(?<![^\W_])" if wanted[0].isalnum() and not _CJK.match(wanted[0]) else ""
    behind = r"(?![^\W_])" if wanted[-1].isalnum() and not _CJK.match(wanted[-1]) else ""
    return len(re.findall(before + re.escape(wanted) + behind, folded))


_INFLECTED = r"(?:s|es|'s|s'|d|ed|ing|ings|er|ers|ly|n|en|e|r|in|innen|a|as|os)"


def inflections(word: str, folded: str) -> int:
    """How often a longer word that may be a form of `word` stands in a folded text: "riddles" and "riddled" for "riddle".

    Readers differ on whether these are the word; "party" is no form of "art", and a word of two letters has none.
    """
    wanted = plain(word)
    if len(wanted) < 3 or not wanted.replace("-", "").replace(" ", "").isalpha() or _CJK.search(wanted):
        return 0
    return len(re.findall(rf"(?<![^\W_]){re.escape(wanted)}{_INFLECTED}(?![^\W_])", folded))


def fragments(text: str) -> int:
    """Sentences that are one word without a full stop: whether "snow" is a sentence, readers differ."""
    return sum(1 for sentence in sentences(text) if len(words(sentence)) < 2 and _END.search(sentence) is None)


def straight(text: str) -> str:
    """One space between words and straight quotation marks, capitals kept."""
    return " ".join(text.translate(_STRAIGHT).split())


_STRAIGHT = str.maketrans({"“": '"', "”": '"', "„": '"', "’": "'", "‘": "'", "\u00a0": " ", "—": "-", "–": "-"})
