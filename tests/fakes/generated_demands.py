"""Prompts put together from familiar demands, clauses on content and manner, and demands on form that no rule reads.

What an unfamiliar demand asks is told by a predicate of this file, written without the product's reader, and each comes in
several wordings and languages; the frames, numbers, words and orders are drawn. `prompt_of` gives a prompt with the texts
that keep every familiar demand, and for each whether it keeps the unfamiliar one, too.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import NamedTuple

NOUNS = [
    "mill",
    "wheel",
    "miller",
    "river",
    "stone",
    "grain",
    "flour",
    "loaf",
    "bridge",
    "lantern",
    "gravel",
    "ox",
    "cart",
    "barn",
    "rope",
    "anvil",
    "owl",
    "fox",
    "door",
    "window",
]
VERBS = ["turns", "waits", "falls", "stands", "moves", "rests", "sinks", "glows", "creaks", "sleeps"]
WHERE = ["by the water", "at night", "under old trees", "in the wind", "near the road", "all day", "without a sound"]
TOPICS = ("an old mill", "a village in winter", "the night train", "a baker and an owl", "rivers", "how bread is made")

FAMILIAR: tuple[tuple[str, ...], ...] = (
    ("Use no commas.", "Do not use any commas.", "Avoid commas.", "Your answer must not contain commas.", "The response should have no commas at all."),
    ("Use at least 6 words.", "Write no fewer than 6 words.", "Your response should have 6 or more words.", "The answer must be at least six words long."),
    ("Write exactly 3 sentences.", "Answer in exactly three sentences.", "There must be exactly 3 sentences.", "Your response should consist of exactly three sentences."),
    ("Do not use the word \"harbor\".", "The word \"harbor\" must not appear.", "Leave out the word 'harbor'.", "Please avoid the word \"harbor\"."),
    ("Use at most 90 words.", "Stay under 90 words.", "Do not exceed 90 words.", "Your answer must not be longer than 90 words."),
    ("Finish with the exact phrase \"That is all.\"", "End your response with \"That is all.\"", "The very last sentence must be \"That is all.\""),
)  # fmt: skip
"""Demands that every text below keeps (the last by what is added to it)."""

CONTENT: tuple[str, ...] = (
    "Mention why the place is quiet.", "Explain what happens there.", "Focus on the smell of fresh bread.", "It is for my grandmother.",
    "The text should appeal to tourists.", "Keep the tone warm.", "Write as if you were the miller.", "I am preparing a brochure for our town.",
    "Be vivid.", "Make it sound mysterious.", "It should be suitable for children.", "Do not mention the price.", "Use a friendly and casual tone.",
    "Include a description of the people.", "Please avoid talking about politics, because my readers dislike it.", "I love such places!",
    "Make sure to follow this carefully.", "Talk about the past of the place.", "Start with a description of the weather.", "Convey the mood of a lonely evening.",
    "The audience is a group of engineers.", "Emphasize the beauty of the landscape.", "You may invent names.", "To make it lively, describe the sounds.",
    "Consider the feelings of the animals.", "Be careful and thorough.", "Give it a nostalgic feel.", "Imagine that you live there.",
    "Address it to a friend who has never been there.", "Thank you!", "Do not be sarcastic.", "Your answer should be helpful and honest.",
    "Make the reader feel at home.", "Let the miller be the hero of it.", "Add some details about daily life.", "It need not be realistic.",
    "Sei freundlich.", "Sé amable.", "Sois poli.", "Schreibe höflich.",
)  # fmt: skip
"""Clauses that ask nothing of the form."""


def sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.!?])\s+", text.strip()) if part]


def words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.lower())


class Unfamiliar(NamedTuple):
    """A demand on form with its wordings, and whether a text keeps it. `{w}` `{v}` words, `{n}` a number, `{nth}` its ordinal."""

    wordings: tuple[str, ...]
    kept: Callable[[str, str, str, int], bool]


def _nth(text: str, n: int) -> str:
    parts = sentences(text)
    return parts[n - 1] if n <= len(parts) else ""


def _at(text: str, n: int) -> str:
    every = words(text)
    return every[n - 1] if n <= len(every) else ""


def _index(text: str, word: str) -> int:
    every = words(text)
    return every.index(word) if word in every else -1


UNFAMILIAR: tuple[Unfamiliar, ...] = (
    Unfamiliar(("The word \"{w}\" must stand in the {nth} sentence.", "Put the word \"{w}\" into sentence number {n}.", "\"{w}\" belongs in the {nth} sentence.", "I want to see the word {w} in sentence {n}.", "Das Wort \"{w}\" muss im {n}. Satz stehen.", "La palabra \"{w}\" debe estar en la oración número {n}.", "Le mot \"{w}\" doit apparaître dans la phrase numéro {n}."), lambda t, w, v, n: w in words(_nth(t, n))),
    Unfamiliar(("Word number {n} of the text has to be \"{w}\".", "Let the {nth} word be \"{w}\".", "The {nth} word of your answer should be \"{w}\".", "Position {n} is reserved for the word \"{w}\".", "Das {n}. Wort soll \"{w}\" sein.", "La parola numero {n} deve essere \"{w}\"."), lambda t, w, v, n: _at(t, n) == w),
    Unfamiliar(("\"{w}\" must come before \"{v}\".", "Use \"{w}\" earlier than \"{v}\".", "The word {w} has to precede the word {v}.", "Do not use \"{v}\" until you have used \"{w}\".", "\"{w}\" muss vor \"{v}\" stehen."), lambda t, w, v, n: -1 < _index(t, w) < _index(t, v)),
    Unfamiliar(("No two sentences may open with the same word.", "Every sentence has to start with a different word.", "Begin each sentence differently.", "Never start two sentences the same way.", "Jeder Satz muss mit einem anderen Wort beginnen."), lambda t, w, v, n: len({words(s)[0] for s in sentences(t)}) == len(sentences(t))),
    Unfamiliar(("Each sentence must be longer than the one before.", "Let the sentences grow in length.", "Sentences should get longer as the text goes on.", "Every sentence needs more words than its predecessor.", "Cada oración debe ser más larga que la anterior."), lambda t, w, v, n: all(len(words(a)) < len(words(b)) for a, b in zip(sentences(t), sentences(t)[1:], strict=False))),
    Unfamiliar(("The total number of words must be divisible by {n}.", "Make the word count a multiple of {n}.", "Use a number of words that {n} divides.", "La cantidad de palabras debe ser múltiplo de {n}."), lambda t, w, v, n: len(words(t)) % n == 0),
    Unfamiliar(("Use \"{w}\" as often as \"{v}\", and at least once.", "\"{w}\" and \"{v}\" must occur equally often, at least once each.", "Mention {w} exactly as many times as {v}, one time or more."), lambda t, w, v, n: words(t).count(w) == words(t).count(v) > 0),
    Unfamiliar(("Only the last sentence may contain the word \"{w}\".", "Keep the word \"{w}\" for the last sentence, where it must appear.", "The word \"{w}\" appears in the final sentence and nowhere else.", "Reserve \"{w}\" for the closing sentence, and do use it there."), lambda t, w, v, n: w in words(sentences(t)[-1]) and w not in words(" ".join(sentences(t)[:-1]))),
    Unfamiliar(("Every sentence must contain the letter combination \"oo\".", "There has to be an \"oo\" in each sentence.", "Each of your sentences needs a double o."), lambda t, w, v, n: all("oo" in s.lower() for s in sentences(t))),
    Unfamiliar(("Write the second sentence entirely in capitals.", "Sentence two should be all caps.", "SHOUT the second sentence, in capital letters.", "Put sentence 2 in uppercase."), lambda t, w, v, n: _nth(t, 2).isupper()),
    Unfamiliar(("End every sentence with an exclamation mark except the last one.", "All sentences but the last end in an exclamation mark.", "Only your last sentence may end without an exclamation mark."), lambda t, w, v, n: all(s.endswith("!") for s in sentences(t)[:-1]) and not sentences(t)[-1].endswith("!")),
    Unfamiliar(("Use exactly {n} words in the first sentence.", "The first sentence must have {n} words.", "Make the opening sentence {n} words long.", "Limit the first sentence to exactly {n} words.", "Der erste Satz muss genau {n} Wörter haben."), lambda t, w, v, n: len(words(_nth(t, 1))) == n),
    Unfamiliar(("The answer must contain more verbs than nouns.", "Use fewer nouns than verbs.", "Nouns must be outnumbered by verbs."), lambda t, w, v, n: False),
    Unfamiliar(("The first letters of the sentences must be in alphabetical order.", "Order the sentences by their first letter.", "Sort your sentences alphabetically.", "Les phrases doivent être en ordre alphabétique."), lambda t, w, v, n: [s.lower() for s in sentences(t)] == sorted(s.lower() for s in sentences(t))),
    Unfamiliar(("Put the {nth} word in parentheses.", "Enclose word {n} in round brackets.", "Wrap the {nth} word of the text in parentheses."), lambda t, w, v, n: "(" in t),
    Unfamiliar(("Separate the sentences with a vertical bar.", "Place a | between every two sentences.", "Use \"|\" as the separator between sentences."), lambda t, w, v, n: "|" in t),
    Unfamiliar(("Use exactly {n} semicolons.", "There must be {n} semicolons in the text.", "Work in exactly {n} semicolons."), lambda t, w, v, n: t.count(";") == n),
    Unfamiliar(("Number the sentences.", "Precede each sentence with its number.", "Give each sentence a number in brackets.", "Nummeriere die Sätze."), lambda t, w, v, n: bool(re.search(r"\d", t))),
    Unfamiliar(("Use rhyming sentence endings.", "The sentences must rhyme.", "Let the first and the last sentence rhyme.", "Las oraciones deben rimar."), lambda t, w, v, n: False),
    Unfamiliar(("Include either \"{w}\" or \"{v}\" but never both.", "Use one of the words \"{w}\" and \"{v}\", not the two together.", "Exactly one of \"{w}\" and \"{v}\" must appear."), lambda t, w, v, n: (w in words(t)) != (v in words(t))),
    Unfamiliar(("If you mention \"{w}\", also mention \"{v}\", and mention \"{w}\".", "Whenever \"{w}\" occurs, \"{v}\" must occur in the same sentence, and \"{w}\" must occur."), lambda t, w, v, n: w in words(t) and all(v in words(s) for s in sentences(t) if w in words(s))),
    Unfamiliar(("No sentence may have fewer than {n} words.", "Every sentence needs {n} or more words.", "Sentences of under {n} words are forbidden."), lambda t, w, v, n: all(len(words(s)) >= n for s in sentences(t))),
    Unfamiliar(("Repeat the first sentence at the end.", "Close by repeating your opening sentence word for word.", "Let the text end as it begins, with the same sentence."), lambda t, w, v, n: sentences(t)[0] == sentences(t)[-1]),
    Unfamiliar(("Write the text backwards.", "Spell every word backwards.", "Mirror each word."), lambda t, w, v, n: False),
    Unfamiliar(("Use only words of at most {n} letters.", "Words longer than {n} letters are not allowed.", "No word may have more than {n} letters.", "Kein Wort darf mehr als {n} Buchstaben haben."), lambda t, w, v, n: all(len(each) <= n for each in words(t))),
    Unfamiliar(("Write it in the past tense only.", "All verbs must be in the past tense.", "Use the passive voice throughout.", "Avoid adjectives.", "Use no pronouns.", "Write in the second person."), lambda t, w, v, n: False),
    Unfamiliar(("Present it as a table with {n} columns.", "Lay the text out in {n} columns.", "Format the answer as a grid of {n} rows."), lambda t, w, v, n: "|" in t),
    Unfamiliar(("Put each sentence on its own line.", "One sentence per line, please.", "Start a new line after every sentence.", "Jeder Satz soll in einer eigenen Zeile stehen."), lambda t, w, v, n: t.count("\n") == len(sentences(t)) - 1),
    Unfamiliar(("Use a simile in the first sentence.", "Open with a rhetorical question.", "Insert a quotation by a famous author.", "Give a date in ISO format.", "Add a footnote.", "Sign with your initials."), lambda t, w, v, n: False),
    Unfamiliar(("Start the text with a vowel and end it with a consonant.", "The first letter of the text must be a vowel, the last one a consonant.", "Begin with a vowel; finish with a consonant."), lambda t, w, v, n: t[0].lower() in "aeiou" and words(t)[-1][-1] not in "aeiou"),
)  # fmt: skip

ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", 6: "sixth", 7: "seventh"}


def _sentence(rng: random.Random) -> str:
    noun, verb = rng.choice(NOUNS), rng.choice(VERBS)
    opening = rng.choice(("The", "A", "One", "This", "No"))
    parts = [opening, *([rng.choice(("old", "small", "good"))] if rng.random() < 0.4 else []), noun, verb]
    return " ".join(parts + ([rng.choice(WHERE)] if rng.random() < 0.8 else [])) + rng.choice("....!?")


def _text(rng: random.Random, closing: bool) -> str:
    while True:
        parts = [_sentence(rng) for _ in range(2 if closing else 3)] + ["That is all."] * closing
        text = " ".join(parts)
        if len(words(text)) >= 6:
            return text


class Prompted(NamedTuple):
    prompt: str
    texts: tuple[str, ...]
    """Each keeps every familiar demand."""
    kept: tuple[bool, ...]
    """Whether each keeps the unfamiliar one, too; all True where there is none."""


def prompt_of(rng: random.Random, *, unfamiliar: bool, texts: int = 12) -> Prompted:
    """A prompt of one or two familiar demands, up to two clauses of content or manner, and maybe an unfamiliar demand."""
    familiar = rng.sample(FAMILIAR, rng.choice((1, 2)))
    closing = FAMILIAR[-1] in familiar
    pieces = [rng.choice(wordings) for wordings in familiar]
    pieces += rng.sample(CONTENT, rng.choice((0, 1, 2) if unfamiliar else (1, 2)))
    kept: Callable[[str], bool] = lambda text: True  # noqa: E731
    if unfamiliar:
        demand = rng.choice(UNFAMILIAR)
        w, v = rng.sample(NOUNS, 2)
        n = rng.randint(2, 3) if "sentence" in demand.wordings[0] else rng.randint(2, 7)
        pieces.append(rng.choice(demand.wordings).format(w=w, v=v, n=n, nth=ORDINALS[n]))
        kept = lambda text: demand.kept(text, w, v, n)  # noqa: E731
    rng.shuffle(pieces)
    topic = rng.choice(("Write about {}.", "Tell me something about {}.", "Describe {}.", "Can you write a short note on {}?")).format(rng.choice(TOPICS))  # fmt: skip
    pieces.insert(rng.choice((0, 0, 0, len(pieces))), topic)
    made = tuple(_text(rng, closing) for _ in range(texts))
    return Prompted(rng.choice((" ", " ", "\n")).join(pieces), made, tuple(map(kept, made)))
