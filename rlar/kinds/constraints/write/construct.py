"""Responses made to meet given constraints, and broken by exactly one.

Built from the constraints' meaning, not from the checkers: a checker that is wrong shows as an oracle that fails.
`satisfy` gives up (None) rather than guess where constraints are of a kind that it cannot plan for, or exclude each other.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from rlar.kinds.constraints.read import Constraint
from rlar.kinds.constraints.write.finish import finish
from rlar.kinds.constraints.write.plan import INFINITY, Impossible, Plan, make_plan
from rlar.kinds.constraints.write.wordbank import BY_LETTER, STOCK, Writer, topic_words


def satisfy(constraints: Sequence[Constraint], rng: random.Random, *, topic_text: str = "") -> str | None:
    """A response that meets all hard constraints, made of plain sentences; None where it cannot be planned."""
    try:
        plan = make_plan(constraints, rng)
        text = _write(plan, rng, topic_text)
    except Impossible:
        return None
    return text if _consistent(plan, text) else None


def _size(text: str) -> int:
    return len(re.findall(r"\w+", text))


def _allowed(plan: Plan, word: str) -> bool:
    low = word.casefold()
    if any(c in plan.banned_characters for c in word):
        return False
    if any(re.search(rf"(?<!\w){re.escape(b.casefold())}(?!\w)", low) for b in plan.banned_words):
        return False
    return not any(part in low for part in plan.banned_parts)


def _write(plan: Plan, rng: random.Random, topic_text: str) -> str:
    special = _by_pattern(plan, rng)
    if special is not None:
        return special
    if plan.repeat_only and plan.repeat is not None:
        return plan.repeat
    if plan.option is not None and plan.words[0] == 0 and plan.sentences[0] <= 1:
        return finish(plan, [plan.option])
    writer = Writer(rng, lambda word: _allowed(plan, word), topic_words(topic_text))
    if not writer.able or (plan.language not in (None, "en") and plan.language not in STOCK):
        raise Impossible("no words left to write with")
    body = _Body(plan, rng, writer)
    return body.text()


class _Body:
    """Sentences laid out in blocks."""

    def __init__(self, plan: Plan, rng: random.Random, writer: Writer) -> None:
        self.plan, self.rng, self.writer = plan, rng, writer
        self.written: set[str] = set()
        """Ready sentences that were used already."""
        self.stop = self._terminator()

    def _terminator(self) -> str:
        plan = self.plan
        if plan.each_ends is not None and plan.each_ends in (".", "!", "?"):
            return plan.each_ends
        for mark, most in ((".", INFINITY), ("!", plan.exclamations[1]), ("?", plan.questions[1])):
            if mark not in plan.banned_characters and most == INFINITY:
                return mark
        if plan.sentences[0] > 1:
            raise Impossible("no mark to end sentences with")
        return ""

    def _shape(self, words: list[str]) -> str:
        plan = self.plan
        if plan.each_starts is not None and len(plan.each_starts) == 1:
            words = (
                [BY_LETTER[plan.each_starts.lower()][0], *words[1:]] if plan.each_starts.lower() in BY_LETTER else words
            )
        elif plan.each_starts is not None:
            words = [*plan.each_starts.split(), *words[1:]]
        sentence = " ".join(words)
        sentence = sentence[:1].upper() + sentence[1:]
        if plan.each_ends is not None and plan.each_ends not in (".", "!", "?"):
            sentence += " " + ("😀" if plan.each_ends == "<emoji>" else plan.each_ends)
        return sentence + self.stop

    def _filler(self, words: int) -> str:
        code = self.plan.language
        if code not in (None, "en"):
            stock = [s for s in STOCK[str(code)] if all(_allowed(self.plan, w) for w in re.findall(r"\w+", s))]
            if not stock:
                raise Impossible("no sentence in that language is allowed")
            fresh = [s for s in stock if s not in self.written] or stock
            sentence = self.rng.choice(fresh)
            self.written.add(sentence)
            return sentence.rstrip(".。۔") + self.stop if self.stop != "." else sentence
        return self._shape(self.writer.words(words))

    def _carriers(self) -> list[str]:
        """Sentences that hold what must be mentioned."""
        plan = self.plan
        tokens = [*plan.phrases]
        tokens += [f"[{name}]" for name in _names(plan.placeholders)]
        tokens += [
            f"#{self.writer.nouns[i % len(self.writer.nouns)]}{'' if i < len(self.writer.nouns) else 's'}"
            for i in range(plan.hashtags)
        ]
        tokens += ["https://example.org/page"] * plan.links + ["😀"] * plan.emojis
        if plan.option is not None:
            tokens.append(plan.option)
        most = plan.sentence_words[1]
        result: list[str] = []
        group: list[str] = []
        joiner = "and" if _allowed(plan, "and") else ""
        for token in tokens:
            size = sum(_size(t) + bool(joiner) for t in group) + _size(token)
            full = len(group) >= (4 if plan.sentences[1] > len(tokens) // 2 else 30) or (
                group and size > most and plan.sentence_words[1] < 14
            )
            if full:
                result.append(self._join(group, joiner))
                group = []
            group.append(token)
        if group:
            result.append(self._join(group, joiner))
        for letter, minimum in plan.letter_minimum.items():
            result += self._letter_rich(letter, minimum - "".join(result).lower().count(letter))
        return result

    def _join(self, group: list[str], joiner: str) -> str:
        text = f" {joiner} ".join(group) if joiner else " ".join(group)
        lead = self.writer.words(3) if self.plan.sentence_words[1] >= 14 and self.plan.language in (None, "en") else []
        if text.endswith((".", "!", "?")):
            return self._capital(" ".join([*lead, text]))
        return self._shape([*lead, *text.split(" ")])

    @staticmethod
    def _capital(text: str) -> str:
        return text[:1].upper() + text[1:]

    def _letter_rich(self, letter: str, missing: int) -> list[str]:
        if missing <= 0:
            return []
        if letter not in BY_LETTER:
            if letter in self.plan.banned_characters:
                raise Impossible(f"{letter!r} is banned and wanted")
            return [self._shape([*self.writer.words(3), letter * missing])] if not letter.isspace() else []
        words = [w for w in BY_LETTER[letter] if _allowed(self.plan, w) and letter in w]
        if not words:
            raise Impossible(f"no word with {letter!r} is allowed")
        result: list[str] = []
        while missing > 0:
            sentence = [words[i % len(words)] for i in range(min(10, max(3, missing)))]
            result.append(self._shape(sentence))
            missing -= " ".join(sentence).count(letter)
        if self.plan.sentences[1] < len(result) + 2:
            joined = " ".join(s.rstrip(".!?") for s in result)
            result = [self._capital(joined.lower()) + self.stop]
        return result

    # -------------------------------------------------------------------------------- layout

    def text(self) -> str:
        plan = self.plan
        sentences = self._carriers()
        fixed = self._fixed_size() + sum(_size(s) for s in sentences)
        low, high = plan.words
        want = self._sentence_target(len(sentences))
        if fixed > high or len(sentences) > want[1]:
            raise Impossible("what must be said is longer than allowed")
        sentences += self._fill(fixed, low, high, len(sentences), want)
        head, tail = (sentences[:1], sentences[1:]) if not plan.phrases else ([], sentences)
        self.rng.shuffle(tail)
        blocks = self._layout([*head, *tail])
        return finish(plan, blocks, rng=self.rng)

    def _fixed_size(self) -> int:
        plan = self.plan
        size = sum(_size(x) for x in (plan.starts, plan.ends, plan.postscript, plan.repeat) if x)
        size += 2 * plan.title + plan.sections * (_size(plan.section_marker or "") + 1) + 2 * plan.headings
        size += sum(_size(w) for w in plan.paragraph_starts.values()) + (5 if plan.postscript else 0)
        size += (
            (plan.numbered or 0)
            + 2 * ("numbered_list" in plan.elements)
            + (6 if "table" in plan.elements else 0)
            + ("code" in plan.elements)
            + 2 * ("heading" in plan.elements)
        )
        return size

    def _fixed_sentences(self) -> int:
        plan = self.plan
        n = sum(len(re.findall(r"[.!?](?=\s|$)", x)) or 1 for x in (plan.starts, plan.ends, plan.repeat) if x)
        return n + (1 if plan.postscript else 0)

    def _sentence_target(self, have: int) -> tuple[int, int]:
        plan = self.plan
        low, high = plan.sentences
        offset = self._fixed_sentences()
        if (plan.sections or plan.headings) and high < INFINITY and low == high:
            raise Impossible("an exact number of sentences among headings")
        low, high = max(0, low - offset), high - offset if high < INFINITY else high
        blocks = max(
            plan.paragraphs[0],
            plan.bullets or 0,
            plan.numbered or 0,
            plan.sections,
            max(plan.paragraph_starts, default=0),
            1,
        )
        low = max(low, blocks if not plan.bullets else blocks + (1 if plan.paragraphs[0] > 1 else 0))
        if plan.lines is not None:
            low = max(low, plan.lines[0])
            high = min(high, plan.lines[1])
        if plan.paragraph_sentences is not None:
            n = max(plan.paragraphs[0], 1)
            low, high = plan.paragraph_sentences[0] * n, plan.paragraph_sentences[1] * n
        if plan.sections and (plan.bullets or plan.numbered):
            low = max(low, plan.sections + (plan.bullets or plan.numbered or 0))
        roomy = plan.highlights + min(plan.capital_words[0], 60)
        low = max(
            low,
            min(high, max(roomy // 3 + 1 if roomy else 0, 3 if plan.words[1] > 30 and plan.characters[1] > 300 else 0)),
        )
        if high < max(low, have):
            raise Impossible("more sentences needed than allowed")
        return low, high

    def _fill(self, fixed: int, low: int, high: int, have: int, want: tuple[int, int]) -> list[str]:
        plan = self.plan
        foreign = plan.language not in (None, "en")
        least = max(0, want[0] - have)
        shortest, longest = plan.sentence_words
        target = low + (min(high - low, 12) // 2 if high - low > 4 else 0) if low else 0
        if not target and high < INFINITY:
            target = max(fixed, min(high, fixed + 9 * max(least, 1)))
        missing = max(0, target - fixed)
        if plan.characters[1] < INFINITY and not low:
            missing = min(missing, max(0, plan.characters[1] // 9 - fixed))
        result: list[str] = []
        if foreign:
            size = fixed
            while len(result) < max(least, 1) or size < low:
                sentence = self._filler(0)
                size += _size(sentence)
                if size > high or len(result) + have >= want[1]:
                    raise Impossible("no sentence of that language fits")
                result.append(sentence)
            return result
        n = max(least, -(-missing // min(longest, 14)) if missing else 0, 1 if not have else 0)
        if n + have > want[1]:
            n = want[1] - have
        if not n:
            if fixed < low:
                raise Impossible("too few sentences for so many words")
            return []
        if not missing:
            missing = min(max(n * 7, 1), max(n, high - fixed))
        sizes = [missing // n + (1 if i < missing % n else 0) for i in range(n)]
        if min(sizes) < max(1, shortest) or (max(sizes) > longest and longest < 14):
            if low and fixed + n * max(1, shortest) > high:
                raise Impossible("the words do not go into the sentences")
            sizes = [min(max(size, shortest, 1), longest if longest < 14 else INFINITY) for size in sizes]
        if fixed + sum(sizes) < low or fixed + sum(sizes) > high:
            raise Impossible("the amount of words cannot be met")
        return [self._filler(size) for size in sizes]

    def _layout(self, sentences: list[str]) -> list[str]:
        """Blocks (paragraphs, bullets under an introduction, sections) in order."""
        plan = self.plan
        if plan.lines is not None:
            return ["\n".join(sentences)]
        if plan.bullets or plan.numbered:
            n = plan.bullets or plan.numbered or 1
            marks = [f"{i + 1}." for i in range(n)] if plan.numbered else ["*"] * n
            listed = "\n".join(f"{mark} {sentence}" for mark, sentence in zip(marks, sentences[:n], strict=False))
            rest = sentences[n:]
            if plan.sections:
                blocks = self._paragraphs(rest, (plan.sections, plan.sections))
                return [*(f"{plan.section_marker} {i + 1}\n{block}" for i, block in enumerate(blocks)), listed]
            blocks = (
                self._paragraphs(rest, (max(plan.paragraphs[0] - 1, 0), max(plan.paragraphs[1] - 1, 0)))
                if rest and plan.paragraphs[1] > 1
                else []
            )
            if rest and not blocks:
                listed = " ".join(rest) + "\n" + listed
            return [*blocks, listed]
        blocks = self._paragraphs(sentences, plan.paragraphs)
        if plan.sections:
            if plan.paragraphs[1] < plan.sections:
                raise Impossible("several sections within one part")
            blocks = self._paragraphs(sentences, (plan.sections, plan.sections))
            blocks = [f"{plan.section_marker} {i + 1}\n{block}" for i, block in enumerate(blocks)]
        elif plan.headings:
            blocks = self._paragraphs(
                sentences, (max(plan.headings, plan.paragraphs[0]), max(plan.headings, plan.paragraphs[0]))
            )
            title = " ".join(self.writer.words(2)).title()
            blocks = [f"## {title}\n{block}" if i < plan.headings else block for i, block in enumerate(blocks)]
        return blocks

    def _paragraphs(self, sentences: list[str], bounds: tuple[int, int]) -> list[str]:
        wanted = max(bounds[0], max(self.plan.paragraph_starts, default=0), 1)
        if bounds == (0, INFINITY) and not self.plan.paragraph_starts:
            wanted = max(1, min(4, len(sentences) // 4))
        if wanted > len(sentences):
            raise Impossible("more paragraphs than sentences")
        size, extra = divmod(len(sentences), wanted)
        blocks, at = [], 0
        for i in range(wanted):
            end = at + size + (1 if i < extra else 0)
            blocks.append(" ".join(sentences[at:end]))
            at = end
        for n, word in self.plan.paragraph_starts.items():
            index = n - 1 if n > 0 else len(blocks) + n
            blocks[index] = f"{word} {blocks[index][:1].lower()}{blocks[index][1:]}"
        return blocks


def _names(count: int) -> list[str]:
    base = ["name", "date", "address", "email", "city", "company", "phone", "title", "topic", "time"]
    return [
        base[i] if i < len(base) else f"{base[i % len(base)]} {chr(97 + (i // len(base)) % 26)}" for i in range(count)
    ]


def _by_pattern(plan: Plan, rng: random.Random) -> str | None:
    """Texts that follow one pattern throughout; None when no such pattern is asked for."""
    for p in plan.patterns:
        match p["name"]:
            case "alliteration":
                letter = str(p.get("letter") or "s").lower()
                if letter not in BY_LETTER or letter == "x":
                    raise Impossible(letter)
                words = list(BY_LETTER[letter])
                return finish(plan, [" ".join(words).capitalize() + "."])
            case "unique_words":
                return finish(plan, ["The quiet fox found a bright garden near our village today."])
            case "same_first_and_last_word":
                return "Morning light fills the quiet garden every morning"
            case "words_in_square_brackets":
                return "[Small] [birds] [found] [the] [garden] [today]"
            case "bigrams_in_angle_brackets":
                return "<<Small birds>> <<found the>> <<quiet garden>>"
            case "no_space":
                return "Garden"
            case "palindrome":
                plan.phrases.append("level")
            case "no_contractions" | "one_line":
                pass
            case _:
                raise Impossible(str(p["name"]))
    return None


def _consistent(plan: Plan, text: str) -> bool:
    """Whether constraints that can exclude each other did not: banned things stand in no fixed part, bounds hold."""
    if any(c in text for c in plan.banned_characters if c not in " \n"):
        return False
    low = text.casefold()
    if any(re.search(rf"(?<!\w){re.escape(b.casefold())}(?!\w)", low) for b in plan.banned_words):
        return False
    for keyword in {p.casefold() for p in plan.phrases}:
        wanted = sum(1 for p in plan.phrases if p.casefold() == keyword)
        if low.count(keyword) < wanted or (keyword in plan.banned_parts and low.count(keyword) != wanted):
            return False
    if any(part in low for part in plan.banned_parts if part not in {p.casefold() for p in plan.phrases}):
        return False
    if not plan.words[0] <= _size(text) <= plan.words[1] and plan.structured is None:
        return False
    if not plan.characters[0] <= len(text) <= plan.characters[1]:
        return False
    if not plan.letters[0] <= sum(c.isalpha() for c in text) <= plan.letters[1]:
        return False
    capitals = len([w for w in re.findall(r"[^\W\d_]+", text) if w.isupper()])
    if capitals > plan.capital_words[1]:
        return False
    if (
        text.count("?") > plan.questions[1]
        or text.count("!") > plan.exclamations[1]
        or text.count(",") > plan.commas[1]
    ):
        return False
    if (plan.case == "lower" and text != text.lower()) or (plan.case == "upper" and text != text.upper()):
        return False
    if plan.language not in (None, "en") and plan.phrases and len(" ".join(plan.phrases)) > 0.3 * len(text):
        return False
    return not _breaks_form(plan, text)


def _breaks_form(plan: Plan, text: str) -> bool:
    if "markdown" in plan.banned_elements and re.search(r"[*#`|]", text):
        return True
    if any(e in plan.banned_elements for e in ("bullet_list", "list")) and re.search(
        r"^[^\S\n]*+[*-] ", text, re.MULTILINE
    ):
        return True
    return (
        any(e in plan.banned_elements for e in ("numbered_list", "list"))
        and re.search(r"^[^\S\n]*+\d\. ", text, re.MULTILINE) is not None
    )
