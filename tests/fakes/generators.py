"""Hand-made rows of many task types, in many wordings: what discovery is tried on, none of it from a dataset.

Every generator takes a random.Random and returns a row {"prompt", "reference"?, ...}; TYPES names the contract kind
that discovery should find for it.
"""
# ruff: noqa: SIM905 (lists of words read better as text)

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

Row = dict[str, Any]

NAMES = "Amara Bela Chidi Dina Elif Farid Greta Hiro Ines Jonas Keiko Lars Mina Nadia Omar Pilar Quinn Rosa Sven Tala Umar Vera Wim Yuki Zoe".split()
CITIES = "Lisbon Nairobi Oslo Hanoi Quito Riga Perth Cairo Lima Porto Tunis Delhi Turin Kyoto Accra Malmo Graz Leeds Boston Haifa".split()
THINGS = "lamp kettle bicycle umbrella ladder basket mirror blanket guitar teapot hammer jacket suitcase pillow bucket candle".split()
ANIMALS = "otter heron badger lynx tortoise falcon hedgehog beaver walrus gecko ibis marten".split()
JOBS = "baker surveyor nurse carpenter librarian pilot gardener chemist tailor plumber".split()
ADJECTIVES = "old bright narrow quiet heavy rusty blue fragile enormous cheap damp round".split()
VERBS = "repaired sold painted carried found borrowed hid washed lost measured".split()
PLACES = "in the harbour|behind the station|near the old mill|under the bridge|at the weekly market|beside the canal|on the roof".split(
    "|"
)
MONTHS = "January February March April May June July August September October November December".split()


def _sentence(r: random.Random) -> str:
    name, city = r.choice(NAMES), r.choice(CITIES)
    return r.choice(
        (
            f"{name} {r.choice(VERBS)} a {r.choice(ADJECTIVES)} {r.choice(THINGS)} {r.choice(PLACES)} of {city}.",
            f"In {r.randint(1820, 2015)} the {r.choice(JOBS)} {name} moved to {city} with {r.randint(2, 40)} {r.choice(THINGS)}s.",
            f"Nobody in {city} had expected the {r.choice(ANIMALS)} to return so early that year.",
            f"The {r.choice(ADJECTIVES)} {r.choice(THINGS)} was kept {r.choice(PLACES)} until {name} asked for it.",
            f"{name}, who worked as a {r.choice(JOBS)}, spent most of {r.choice(MONTHS)} watching a {r.choice(ANIMALS)}.",
            f"A letter from {city} said that the {r.choice(THINGS)} had cost {r.randint(3, 900)} crowns.",
        )
    )


def _passage(r: random.Random, sentences: int = 6) -> str:
    return " ".join(_sentence(r) for _ in range(sentences))


def multiple_choice(r: random.Random) -> Row:
    question = r.choice(
        (
            f"Which of these would a {r.choice(JOBS)} most likely use in {r.choice(CITIES)}?",
            f"What did {r.choice(NAMES)} probably keep {r.choice(PLACES)}?",
            f"A {r.choice(ADJECTIVES)} {r.choice(THINGS)} is best described as which of the following?",
            f"Which item is needed to care for a {r.choice(ANIMALS)}?",
        )
    )
    options = r.sample(THINGS, r.choice((3, 4, 4, 5)))
    style = r.choice(("{}) {}", "({}) {}", "{}. {}", "{}: {}"))
    lines = [style.format("ABCDE"[index], option) for index, option in enumerate(options)]
    listing = r.choice(("\n", "\n", " ")).join(lines)
    at = r.randrange(len(options))
    reference = r.choice(("ABCDE"[at], "ABCDE"[at], f"({'ABCDE'[at]})", options[at]))
    return {
        "prompt": r.choice(
            (
                f"{question}\n{listing}",
                f"Question: {question}\n\n{listing}\n\nAnswer:",
                f"Pick the right answer.\n{question}\n{listing}",
            )
        ),
        "reference": reference,
    }


def boolean_passage(r: random.Random) -> Row:
    passage = _passage(r, 5)
    question = r.choice(
        (
            f"did {r.choice(NAMES)} ever visit {r.choice(CITIES)}",
            f"is the {r.choice(THINGS)} {r.choice(ADJECTIVES)}",
            f"was a {r.choice(ANIMALS)} seen {r.choice(PLACES)}",
        )
    )
    prompt = r.choice(
        (
            f"{passage}\n\nQuestion: {question}? Answer yes or no.",
            f"Read the passage and answer with yes or no.\n\nPassage: {passage}\n\n{question.capitalize()}?",
            f"{passage}\n{question}?",
        )
    )
    return {"prompt": prompt, "reference": r.choice(("yes", "no", "Yes", "No"))}


def true_false(r: random.Random) -> Row:
    claim = r.choice(
        (
            f"A {r.choice(ANIMALS)} can be larger than a {r.choice(ANIMALS)}.",
            f"{r.choice(CITIES)} lies north of {r.choice(CITIES)}.",
            f"Every {r.choice(JOBS)} needs a {r.choice(THINGS)}.",
        )
    )
    return {
        "prompt": r.choice(
            (
                f"True or false? {claim}",
                f"Decide whether this statement is true or false: {claim}",
                f"{claim}\n\nIs that True or False?",
            )
        ),
        "reference": r.choice(("True", "False")),
    }


def sentiment(r: random.Random) -> Row:
    good = ("I loved every minute of it", "works like a charm", "the staff were wonderful", "best purchase this year")
    bad = ("I want my money back", "it broke after a day", "nobody answered my calls", "a complete waste of time")
    meh = ("it does the job I suppose", "nothing special", "about what you would expect")
    label, phrases = r.choice((("positive", good), ("negative", bad), ("neutral", meh)))
    review = f"Bought the {r.choice(ADJECTIVES)} {r.choice(THINGS)} in {r.choice(CITIES)}, {r.choice(phrases)}. {_sentence(r)}"
    prompt = r.choice(
        (
            f"Classify the sentiment of this review as positive, negative or neutral.\n\n{review}",
            f"Review: {review}\nSentiment:",
            f"How does the customer feel about the product?\n{review}\nAnswer with one of: positive, negative, neutral",
        )
    )
    return {"prompt": prompt, "reference": label}


def topic(r: random.Random) -> Row:
    label, words = r.choice(
        (
            ("sports", "the striker scored twice before half time"),
            ("business", "shares fell after the quarterly report"),
            ("science", "the probe measured the comet's dust"),
            ("politics", "the senate postponed the vote again"),
            ("weather", "heavy snow closed the mountain pass"),
        )
    )
    story = f"{r.choice(CITIES)} - {r.choice(NAMES)} reports: {words}, {r.choice(PLACES)}."
    return {
        "prompt": r.choice(
            (
                f"Which section of the newspaper does this belong to?\n{story}",
                f"Assign a topic to the news item.\n\nItem: {story}\nTopic:",
            )
        ),
        "reference": label,
    }


def entailment(r: random.Random) -> Row:
    premise, hypothesis = _sentence(r), _sentence(r)
    label = r.choice(("entailment", "contradiction", "neutral"))
    return {
        "prompt": r.choice(
            (
                f"Premise: {premise}\nHypothesis: {hypothesis}\nDoes the premise entail the hypothesis, contradict it, or neither?",
                f'Given "{premise}", what is the relation to "{hypothesis}"? Use entailment, contradiction or neutral.',
            )
        ),
        "reference": label,
    }


def sql(r: random.Random) -> Row:
    table, column = r.choice(
        (("orders", "amount"), ("employees", "salary"), ("flights", "distance"), ("books", "pages"))
    )
    schema = f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, name TEXT, city TEXT, {column} REAL);"
    city, number = r.choice(CITIES), r.randint(5, 900)
    question, query = r.choice(
        (
            (f"How many {table} are in {city}?", f"SELECT COUNT(*) FROM {table} WHERE city = '{city}'"),
            (
                f"List the names of {table} whose {column} is above {number}.",
                f"SELECT name FROM {table} WHERE {column} > {number}",
            ),
            (f"What is the average {column} per city?", f"SELECT city, AVG({column}) FROM {table} GROUP BY city"),
        )
    )
    return {
        "prompt": r.choice(
            (
                f"{schema}\n\nWrite a SQL query: {question}",
                f"Given the tables below, answer with SQL only.\n{schema}\nQuestion: {question}",
                f"-- schema\n{schema}\n-- {question}\nSELECT",
            )
        ),
        "reference": query,
    }


def json_extraction(r: random.Random) -> Row:
    name, city, age, job = r.choice(NAMES), r.choice(CITIES), r.randint(18, 90), r.choice(JOBS)
    text = r.choice(
        (f"{name} is a {age} year old {job} from {city}.", f"From {city} comes {name} ({age}), by trade a {job}.")
    )
    return {
        "prompt": r.choice(
            (
                f"Extract name, age, city and job as JSON.\n\n{text}",
                f"{text}\nReturn a JSON object with the keys name, age, city, job.",
                f"Turn this into structured data (valid JSON only): {text}",
            )
        ),
        "reference": json.dumps({"name": name, "age": age, "city": city, "job": job}),
    }


def summarisation(r: random.Random) -> Row:
    first, name, city = _sentence(r), r.choice(NAMES), r.choice(CITIES)
    text = f"{first} {_passage(r, 9)} In the end {name} decided to stay in {city} and to open a small workshop."
    reference = f"{first[:-1]}, and in the end {name} stayed in {city} to open a workshop."
    return {
        "prompt": r.choice(
            (
                f"Summarize the following article in one sentence.\n\n{text}",
                f"{text}\n\nTL;DR:",
                f"Write a short summary of this text:\n{text}",
            )
        ),
        "reference": reference,
    }


def program_stdio(r: random.Random) -> Row:
    times = r.randint(2, 99)
    inputs = [f"{r.randint(1, 50)} {r.randint(1, 50)}\n" for _ in range(3)]
    outputs = [f"{(int(a) + int(b)) * times}\n" for a, b in (line.split() for line in inputs)]
    prompt = f"{r.choice(NAMES)} keeps {r.choice(THINGS)}s in two rows. Read two integers a and b from standard input and print (a + b) * {times}.\n\nInput\nTwo integers.\n\nOutput\nOne integer."
    return {"prompt": prompt, "test_cases": {"inputs": inputs, "outputs": outputs}}


def code_asserts(r: random.Random) -> Row:
    number, name = r.randint(2, 99), f"{r.choice(VERBS)}_{r.choice(THINGS)}"
    tests = "\n".join(f"assert {name}({value}) == {value * number}" for value in r.sample(range(100), 3))
    return {
        "prompt": r.choice(
            (
                f"Write a Python function {name}(x) that returns x times {number}.\n\n{tests}",
                f"Implement `{name}`.\nYour code must satisfy:\n```python\n{tests}\n```",
            )
        ),
        "reference": f"def {name}(x):\n    return x * {number}",
    }


def code_reference(r: random.Random) -> Row:
    number, name = r.randint(2, 99), f"{r.choice(VERBS)}_{r.choice(THINGS)}"
    return {
        "prompt": f"Write a Python function `{name}(items)` that returns every item of the list that is divisible by {number}, in order.",
        "reference": f"def {name}(items):\n    found = []\n    for item in items:\n        if item % {number} == 0:\n            found.append(item)\n    return found",
    }


def function_body(r: random.Random) -> Row:
    """A function's header with a docstring to be completed; the reference is its body alone, and there is no test."""
    number, name = r.randint(2, 99), f"{r.choice(VERBS)}_{r.choice(THINGS)}s"
    says, body = r.choice(
        (
            (f"Keep the values above {number}.", f"return [value for value in values if value > {number}]"),
            (
                f"Return the sum of every {number % 5 + 2}th value.",
                f"total = 0\n    for value in values[:: {number % 5 + 2}]:\n        total += value\n    return total",
            ),
            (f"How many values are divisible by {number}.", f"return sum(value % {number} == 0 for value in values)"),
        )
    )
    header = f'def {name}(values: list) -> object:\n    """{says}"""\n'
    prompt = r.choice(
        (
            header,
            f"Complete the function.\n\n```python\n{header}```",
            f"Fill in what is missing below and give me all of it.\n\n{header}",
        )
    )
    return {"prompt": prompt, "reference": f"    {body}\n"}


def regex(r: random.Random) -> Row:
    count, letter = r.randint(2, 9), r.choice("abcdefgh")
    asked, reference = r.choice(
        (
            (f"exactly {count} digits", rf"^\d{{{count}}}$"),
            (f"a word that starts with {letter}", rf"\b{letter}\w*\b"),
            (f"lines that end in {letter}{count}", rf".*{letter}{count}$"),
        )
    )
    return {
        "prompt": r.choice(
            (f"Write a regular expression that matches {asked}.", f"I need a regex for {asked}. Give only the pattern.")
        ),
        "reference": reference,
    }


def cloze(r: random.Random) -> Row:
    words = _sentence(r)[:-1].split()
    at = r.randrange(2, len(words))
    reference, words[at] = words[at].strip(","), "____"
    return {
        "prompt": r.choice(
            (f"Fill in the blank: {' '.join(words)}.", f"Complete the sentence with one word.\n\n{' '.join(words)}.")
        ),
        "reference": reference,
    }


def ordering(r: random.Random) -> Row:
    items = r.sample(THINGS, 5)
    return {
        "prompt": r.choice(
            (
                f"Sort these words alphabetically: {', '.join(items)}",
                f"Put the following in alphabetical order.\n{' '.join(items)}",
            )
        ),
        "reference": ", ".join(sorted(items)),
    }


def dates(r: random.Random) -> Row:
    day, month, year, days = r.randint(1, 20), r.randint(1, 12), r.randint(1950, 2030), r.randint(2, 8)
    return {
        "prompt": r.choice(
            (
                f"What date is {days} days after {MONTHS[month - 1]} {day}, {year}? Use YYYY-MM-DD.",
                f"Today is {year}-{month:02d}-{day:02d}. Which date will it be in {days} days?",
            )
        ),
        "reference": f"{year}-{month:02d}-{day + days:02d}",
    }


def trivia(r: random.Random) -> Row:
    question, reference = r.choice(
        (
            (
                f"Who taught {r.choice(NAMES)} the {r.choice(JOBS)} to play the flute?",
                f"{r.choice(NAMES)} {r.choice(CITIES)[::-1].capitalize()}",
            ),
            (
                f"In which village near {r.choice(CITIES)} did the {r.choice(ANIMALS)} festival begin?",
                f"{r.choice(CITIES)[:3]}{r.choice(THINGS)}",
            ),
            (
                f"What was the nickname of {r.choice(NAMES)}'s first {r.choice(THINGS)}?",
                f"{r.choice(ADJECTIVES).capitalize()} {r.choice(ANIMALS).capitalize()}",
            ),
        )
    )
    return {"prompt": r.choice((question, f"Answer briefly. {question}", f"Q: {question}\nA:")), "reference": reference}


def extractive(r: random.Random) -> Row:
    name, thing, city = r.choice(NAMES), r.choice(THINGS), r.choice(CITIES)
    answer = f"a {r.choice(ADJECTIVES)} {thing}"
    passage = f"{_passage(r, 3)} On the last day {name} brought {answer} to {city}. {_passage(r, 3)}"
    question = f"What did {name} bring to {city} on the last day?"
    return {
        "prompt": r.choice((f"{passage}\n\n{question}", f"Context: {passage}\nQuestion: {question}\nAnswer:")),
        "reference": answer,
    }


def word_problem(r: random.Random) -> Row:
    a, b, c = r.randint(2, 30), r.randint(2, 30), r.randint(2, 9)
    name = r.choice(NAMES)
    prompt, number = r.choice(
        (
            (
                f"{name} buys {a} {r.choice(THINGS)}s for ${b} each and pays ${c} for delivery. How much does {name} pay in total?",
                a * b + c,
            ),
            (f"A {r.choice(JOBS)} works {a} hours a day for {c} days. How many hours is that?", a * c),
            (
                f"There are {a + b} {r.choice(ANIMALS)}s at the lake. {a} leave in the morning and {c} come back at night. How many are there now?",
                b + c,
            ),
        )
    )
    return {
        "prompt": prompt,
        "reference": r.choice((str(number), str(number), f"${number}" if "$" in prompt else str(number))),
    }


def algebra(r: random.Random) -> Row:
    a, b, c = r.randint(2, 9), r.randint(2, 30), r.randint(2, 9)
    prompt, reference = r.choice(
        (
            (f"Solve ${a}x + {b} = {c}$ for $x$.", rf"\frac{{{c - b}}}{{{a}}}"),
            (f"Expand $(x + {a})(x - {b})$.", f"x^2 + {a - b}x - {a * b}" if a > b else f"x^2 - {b - a}x - {a * b}"),
            (rf"What is $\sqrt{{{a * a * c}}}$ in simplest radical form?", rf"{a}\sqrt{{{c}}}"),
            (rf"Compute $\binom{{{b}}}{{2}}$.", str(b * (b - 1) // 2)),
        )
    )
    return {"prompt": prompt, "reference": reference}


_ITALIAN = (
    ("The train to {c} leaves at {n} tomorrow morning.", "Il treno per {c} parte alle {n} domani mattina."),
    ("My grandmother keeps {n} chickens behind the house.", "Mia nonna tiene {n} galline dietro la casa."),
    ("{p} has forgotten the keys on the kitchen table again.", "{p} ha dimenticato di nuovo le chiavi sul tavolo della cucina."),
    ("The museum of {c} is closed every Monday in winter.", "Il museo di {c} è chiuso ogni lunedì in inverno."),
    ("We need {n} more chairs before the guests arrive.", "Abbiamo bisogno di altre {n} sedie prima che arrivino gli ospiti."),
    ("The water of this river is too cold for swimming.", "L'acqua di questo fiume è troppo fredda per nuotare."),
)  # fmt: skip
_DUTCH = (
    ("The train to {c} leaves at {n} tomorrow morning.", "De trein naar {c} vertrekt morgenochtend om {n} uur."),
    ("My grandmother keeps {n} chickens behind the house.", "Mijn grootmoeder houdt {n} kippen achter het huis."),
    ("{p} has forgotten the keys on the kitchen table again.", "{p} heeft de sleutels weer op de keukentafel laten liggen."),
    ("The museum of {c} is closed every Monday in winter.", "Het museum van {c} is in de winter elke maandag gesloten."),
    ("We need {n} more chairs before the guests arrive.", "We hebben nog {n} stoelen nodig voordat de gasten komen."),
    ("The water of this river is too cold for swimming.", "Het water van deze rivier is te koud om in te zwemmen."),
)  # fmt: skip


def _translation(r: random.Random, pairs: tuple[tuple[str, str], ...], name: str, native: str) -> Row:
    blanks = {"c": r.choice(CITIES), "n": str(r.randint(2, 90)), "p": r.choice(NAMES)}
    source, target = (text.format(**blanks) for text in r.choice(pairs))
    prompt = r.choice(
        (
            f"Translate into {name}: {source}",
            f"{source}\n\nGive me that in {name}.",
            f"English: {source}\n{name}:",
            f"{native}\n\n{source}",
            source,
        )
    )
    return {"prompt": prompt, "reference": target}


def to_italian(r: random.Random) -> Row:
    return _translation(r, _ITALIAN, "Italian", "Traduci la frase seguente in italiano.")


def to_dutch(r: random.Random) -> Row:
    return _translation(r, _DUTCH, "Dutch", "Vertaal de volgende zin naar het Nederlands.")


def rewriting(r: random.Random) -> Row:
    right = _passage(r, 2)
    wrong = right.replace(" a ", " an ", 1).replace("the ", "teh ", 1).replace(".", "", 1)
    return {
        "prompt": r.choice(
            (
                f"Correct the mistakes in this text.\n\n{wrong}",
                f"Fix grammar and spelling: {wrong}",
                f"Proofread:\n{wrong}",
            )
        ),
        "reference": right,
    }


def constraints(r: random.Random) -> Row:
    rule = r.choice(
        (
            f"Your answer must contain at least {r.randint(50, 400)} words.",
            "Do not use any commas in your response.",
            "Write everything in lowercase letters.",
            f'Include the keywords "{r.choice(THINGS)}" and "{r.choice(ANIMALS)}".',
            f"Use exactly {r.randint(2, 7)} bullet points.",
        )
    )
    return {
        "prompt": f"Write about the {r.choice(JOBS)} who {r.choice(VERBS)} a {r.choice(THINGS)} {r.choice(PLACES)}. {rule}"
    }


def unread_demands(r: random.Random) -> Row:
    """A topic with a demand on the answer's form that mostly no rule of the reader knows."""
    n, word = r.randint(2, 9), r.choice(THINGS)
    rule = r.choice(
        (
            f"Every {r.choice(('third', 'fourth', 'fifth'))} word must rhyme with {word}.",
            "No two neighbouring sentences should begin with the same vowel.",
            f"Make sure that each line has one syllable more than the line before, up to {n + 8}.",
            "Alternate between verbs and nouns as the first word of your sentences.",
            f"Keep the share of adjectives below {n * 4} percent of all words in your answer.",
            "The last letter of each paragraph must be the first letter of the next paragraph.",
            f"Let the lengths of the sentences in your response be {n}, {n + 2}, {n} and {n + 2} words, again and again.",
            f"Avoid any conjunctions in the first {n} sentences.",
            f"Put {n} hyphens between every two paragraphs and an emoji in front of each heading.",
            "Use only words whose second letter is a consonant.",
        )
    )
    topic = r.choice(
        (
            f"Why did the {r.choice(JOBS)} of {r.choice(CITIES)} give away the {r.choice(ADJECTIVES)} {r.choice(THINGS)}, and who got it in the end?",
            f"Describe how a {r.choice(ANIMALS)} gets through the winter near {r.choice(CITIES)}, with all that it eats and where it sleeps when storms come.",
            f"I am preparing a speech about the {r.choice(JOBS)}s of {r.choice(CITIES)} and want people to laugh a little before they go home that evening.",
        )
    )
    return {"prompt": r.choice((f"{topic} {rule}", f"{rule} {topic}", f"{topic}\n\n{rule}"))}


def open_chat(r: random.Random) -> Row:
    return {
        "prompt": r.choice(
            (
                f"Why do people in {r.choice(CITIES)} love their {r.choice(ANIMALS)}s so much?",
                f"Tell me a story about a {r.choice(JOBS)} and a {r.choice(ADJECTIVES)} {r.choice(THINGS)}.",
                f"I can't decide between becoming a {r.choice(JOBS)} or a {r.choice(JOBS)}. What would you do?",
                f"Give me some ideas for a birthday present for {r.choice(NAMES)}, who likes the {r.choice(ANIMALS)}.",
                f"What should I know before I travel to {r.choice(CITIES)}?",
            )
        )
    }


TYPES: dict[str, tuple[Callable[[random.Random], Row], str]] = {
    "multiple_choice": (multiple_choice, "choice"),
    "boolean_passage": (boolean_passage, "choice"),
    "true_false": (true_false, "choice"),
    "sentiment": (sentiment, "choice"),
    "topic": (topic, "choice"),
    "entailment": (entailment, "choice"),
    "sql": (sql, "sql"),
    "json_extraction": (json_extraction, "json"),
    "summarisation": (summarisation, "summary"),
    "program_stdio": (program_stdio, "code_stdio"),
    "code_asserts": (code_asserts, "code_tests"),
    "code_reference": (code_reference, "code_reference"),
    "function_body": (function_body, "code_reference"),
    "regex": (regex, "short_text"),
    "cloze": (cloze, "short_text"),
    "ordering": (ordering, "short_text"),
    "dates": (dates, "short_text"),
    "trivia": (trivia, "short_text"),
    "extractive": (extractive, "short_text"),
    "word_problem": (word_problem, "number"),
    "algebra": (algebra, "math"),
    "to_italian": (to_italian, "translation"),
    "to_dutch": (to_dutch, "translation"),
    "rewriting": (rewriting, "long_text"),
    "constraints": (constraints, "constraints"),
    "unread_demands": (unread_demands, "constraints"),
    "open_chat": (open_chat, "open_ended"),
}
"""Name -> (generator, the answer kind that discovery should find)."""


def rows_of(names: list[str], each: int, seed: int = 0) -> list[tuple[str, Row]]:
    """(type, row) of `each` rows of every named type, shuffled; ids are unique."""
    found: list[tuple[str, Row]] = []
    for name in names:
        generator = TYPES[name][0]
        r = random.Random(f"{seed}-{name}")
        found += [(name, {"id": f"{name}-{index}", **generator(r)}) for index in range(each)]
    random.Random(seed).shuffle(found)
    return found
