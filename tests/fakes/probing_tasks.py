"""Small tasks of each kind, own writing: what the gate is tried on."""

from __future__ import annotations

import json
from typing import Any

from rlar.types import AnswerKind, Contract, Example, Message, TaskSpec


def example(
    number: int, prompt: str, reference: str | None = None, aliases: tuple[str, ...] = (), **columns: Any
) -> Example:
    references = () if reference is None else (reference, *aliases)
    return Example(
        id=f"row-{number}",
        prompt=(Message(role="user", content=prompt),),
        reference=reference,
        references=references,
        columns=columns,
    )


def task(kind: AnswerKind, examples: list[Example], **contract: Any) -> TaskSpec:
    has_reference = contract.pop("has_reference", any(each.reference is not None for each in examples))
    return TaskSpec(
        fingerprint=f"f1-{kind.value}",
        label=kind.value,
        contract=Contract(answer_kind=kind, has_reference=has_reference, **contract),
        rows=len(examples),
        examples=tuple(examples),
    )


def number_task(rows: int = 12) -> TaskSpec:
    people = (
        "Ada",
        "Ben",
        "Cho",
        "Dina",
        "Emil",
        "Fay",
        "Gus",
        "Hana",
        "Ivo",
        "Jun",
        "Kim",
        "Lea",
        "Max",
        "Noa",
        "Ole",
        "Pia",
    )
    examples = []
    for index in range(rows):
        boxes, each, gone = 3 + index, 7 + 2 * index, 2 + index % 5
        prompt = (
            f"{people[index % len(people)]} packs {boxes} boxes with {each} apples each and then gives away {gone} apples. "
            "How many apples are left?"
        )
        examples.append(example(index, prompt, str(boxes * each - gone)))
    return task(AnswerKind.NUMBER, examples)


def math_task() -> TaskSpec:
    pairs = [
        ("Simplify $\\frac{6}{8}$.", "\\frac{3}{4}"),
        ("Solve $x^2 = 49$ for positive $x$.", "7"),
        ("Expand $(x+1)^2$.", "x^2+2x+1"),
        ("What is $\\sqrt{50}$ in simplest form?", "5\\sqrt{2}"),
        ("Give the set of solutions of $x^2=9$.", "\\{-3, 3\\}"),
        ("What is $2^{10}$?", "1024"),
        ("Write the interval of all $x$ with $1 < x \\le 4$.", "(1, 4]"),
        ("What is the sum of the angles of a triangle in radians?", "\\pi"),
        ("What is $\\frac{d}{dx} 3x^2$?", "6x"),
        ("What is $1 - 4$?", "-3"),
    ]
    return task(AnswerKind.MATH, [example(i, p, r) for i, (p, r) in enumerate(pairs)])


def choice_task() -> TaskSpec:
    questions = [
        ("Which of these is a mammal?", ("trout", "whale", "eagle", "gecko"), "B"),
        ("Which gas do plants take in?", ("carbon dioxide", "helium", "neon", "argon"), "A"),
        ("Which month has the fewest days?", ("May", "July", "March", "February"), "D"),
        ("Which is a stringed instrument?", ("flute", "drum", "violin", "horn"), "C"),
        ("What do bees make?", ("silk", "honey", "wax paper", "resin"), "B"),
        ("Which planet has rings?", ("Saturn", "Mercury", "Mars", "Venus"), "A"),
        ("Which metal is liquid at room temperature?", ("iron", "gold", "mercury", "zinc"), "C"),
        ("How many sides has a hexagon?", ("four", "five", "eight", "six"), "D"),
    ]
    examples = []
    for index, (question, options, letter) in enumerate(questions):
        shown = "\n".join(f"{key}) {value}" for key, value in zip("ABCD", options, strict=True))
        examples.append(example(index, f"{question}\n\n{shown}\n\nAnswer with one letter.", letter))
    return task(AnswerKind.CHOICE, examples, carries=("options",))


def label_task() -> TaskSpec:
    reviews = [
        ("The soup was cold and the waiter rude.", "negative"),
        ("I would go back tomorrow, a joy from start to end.", "positive"),
        ("It has two doors and a window.", "neutral"),
        ("Worst purchase of my life.", "negative"),
        ("Lovely colours, fits perfectly!", "positive"),
        ("The parcel came on Tuesday.", "neutral"),
        ("Broke after a day.", "negative"),
        ("Made my mother very happy.", "positive"),
    ]
    prompt = "Is the tone of this review positive, negative or neutral?\n\nReview: {}"
    examples = [example(i, prompt.format(text), label) for i, (text, label) in enumerate(reviews)]
    return task(AnswerKind.CHOICE, examples, labels=("negative", "neutral", "positive"))


def short_text_task() -> TaskSpec:
    pairs: list[tuple[str, str, tuple[str, ...]]] = [
        ("Which river runs through the city of Vienna, past the old harbour?", "Danube", ("the Danube",)),
        ("Who wrote the novel Middlemarch under a pen name in 1871?", "George Eliot", ("Mary Ann Evans",)),
        ("What is the chemical symbol of the metal called tungsten?", "W", ()),
        ("In which year did the first person walk on the surface of the moon?", "1969", ()),
        ("Which country has the city of Windhoek as its capital?", "Namibia", ("Republic of Namibia",)),
        ("What is the name of the longest bone of the human body?", "femur", ("thigh bone",)),
        ("Which composer wrote the opera The Magic Flute in Vienna?", "Wolfgang Amadeus Mozart", ("Mozart",)),
        ("Which sea lies between Denmark and Sweden and the Baltic states?", "Baltic Sea", ()),
        ("What is the smallest prime number that is also even?", "two", ("2",)),
    ]
    return task(AnswerKind.SHORT_TEXT, [example(i, p, r, a) for i, (p, r, a) in enumerate(pairs)])


_ESSAYS = (
    (
        "Why do leaves change their colour in autumn?",
        "In autumn the days get shorter and trees stop making chlorophyll. As the green fades, yellow and orange pigments "
        "that were there all along can be seen. In Maple trees, sugar trapped in the leaves makes red pigments as well. "
        "After about 3 weeks a layer of cork closes the stem and the leaf falls.",
    ),
    (
        "How does a canal lock lift a boat?",
        "A lock is a chamber with a gate at each end. The boat enters at the low side and the gate behind it is shut. "
        "Water from the upper canal flows in through valves until both levels are the same. Then the upper gate opens and "
        "the boat sails out, often 4 metres higher. The Panama Canal lifts ships by 26 metres in this way.",
    ),
    (
        "Why does bread rise?",
        "Yeast eats the sugar in flour and gives off carbon dioxide. Gluten forms an elastic net that holds the gas in "
        "bubbles. In the oven the gas expands and the dough sets at about 80 degrees. A baker in Naples may let the dough "
        "rest for 24 hours, because slow fermentation gives more taste.",
    ),
    (
        "What does a lighthouse keeper do?",
        "The keeper trims the lamp, cleans the lens and winds the clockwork that turns it. Every ship that passes is "
        "written into a log. In fog the horn has to be sounded every 2 minutes. Since 1998 all lights of Trinity House "
        "have worked without people, and the keepers have gone home.",
    ),
    (
        "How do bees find their way home?",
        "Bees remember landmarks near the hive. Farther away they use the position of the sun and correct for its path "
        "with an inner clock. On cloudy days they read the polarisation of the sky. Karl Frisch showed that they also tell "
        "each other the direction by a dance, up to 10 kilometres away.",
    ),
    (
        "Why is the sea salty?",
        "Rain dissolves minerals from rocks and rivers carry them to the sea. Water evaporates, but the salt stays behind. "
        "Vents on the ocean floor add more. Over millions of years the share has settled at 35 grams in a litre. The Dead "
        "Sea has ten times as much, because no river leaves it.",
    ),
    (
        "How was paper made by hand?",
        "Rags were beaten in water until only fibres were left. A mould with a fine wire sieve was dipped into the vat and "
        "shaken. The sheet was pressed between felts and hung up to dry for 5 days. In Fabriano gelatine was added, so "
        "that ink would not spread.",
    ),
)  # fmt: skip


def long_text_task() -> TaskSpec:
    return task(AnswerKind.LONG_TEXT, [example(i, question, text) for i, (question, text) in enumerate(_ESSAYS)])


def summary_task() -> TaskSpec:
    heads = (
        "Shorter days stop the making of chlorophyll, so that other pigments show before the leaf falls.",
        "A lock lets water in behind a closed gate until the boat floats at the upper level.",
        "Bread rises because yeast makes gas that gluten holds until the heat sets the dough.",
        "Keepers tended lamp, log and fog horn until the lights of Trinity House were automated.",
        "Bees steer by landmarks, sun and polarised light, and tell the direction by dancing.",
        "Rivers and vents bring salt to the sea, where it stays when water evaporates.",
        "Beaten rags were lifted on a sieve, pressed between felts and dried into sheets.",
    )
    examples = [
        example(i, f"Summarise the following text in one sentence.\n\n{text} {question} That was the question.", head)
        for i, ((question, text), head) in enumerate(zip(_ESSAYS, heads, strict=True))
    ]
    return task(AnswerKind.SUMMARY, examples, carries=("passage",))


def translation_task() -> TaskSpec:
    pairs = [
        ("The train to Hamburg leaves at 9 o'clock from platform 4.", "Der Zug nach Hamburg fährt um 9 Uhr von Gleis 4 ab."),
        ("My grandmother keeps 12 hens behind the house.", "Meine Großmutter hält 12 Hühner hinter dem Haus."),
        ("Please close the window before you go to bed.", "Bitte schließe das Fenster, bevor du ins Bett gehst."),
        ("The museum in Dresden shows pictures from the last century.", "Das Museum in Dresden zeigt Bilder aus dem letzten Jahrhundert."),
        ("We waited for two hours because the road was flooded.", "Wir warteten zwei Stunden, weil die Straße überflutet war."),
        ("She has been learning the violin since she was 6 years old.", "Sie lernt Geige, seit sie 6 Jahre alt ist."),
        ("The price of bread rose by 15 percent within a year.", "Der Brotpreis stieg innerhalb eines Jahres um 15 Prozent."),
        ("Nobody knew who had painted the old church in Lübeck.", "Niemand wusste, wer die alte Kirche in Lübeck gemalt hatte."),
    ]  # fmt: skip
    examples = [example(i, f"Translate into German:\n\n{source}", target) for i, (source, target) in enumerate(pairs)]
    return task(AnswerKind.TRANSLATION, examples, target_language="de", carries=("source",))


def translation_to_chinese_task() -> TaskSpec:
    pairs = [
        ("The old bridge was closed last week because the river had risen.", "由于河水上涨，那座旧桥上周被关闭了，行人只能绕道而行。"),
        ("My grandmother keeps 12 hens behind the house.", "我的祖母在屋后养了12只母鸡，每天早晨都能捡到新鲜的鸡蛋。"),
        ("Please close the window before you go to bed.", "睡觉之前请把窗户关好，今晚天气预报说有大风和暴雨。"),
        ("The museum shows pictures from the last century.", "这家博物馆正在展出上个世纪的绘画作品，门票可以免费领取。"),
        ("She has been learning the violin since she was 6.", "她从6岁起就开始学习小提琴，现在已经能登台独奏了。"),
        ("The price of bread rose by 15 percent within a year.", "面包价格在一年之内上涨了15%，许多家庭感到生活压力很大。"),
        ("Nobody knew who had painted the church.", "没有人知道是谁画了教堂里的壁画，连神父也说不清楚来历。"),
        ("We missed the train and walked to the next village.", "我们没赶上火车，只好沿着铁路步行到下一个村庄去投宿。"),
    ]  # fmt: skip
    examples = [example(i, f"Translate into Chinese:\n\n{source}", target) for i, (source, target) in enumerate(pairs)]
    return task(AnswerKind.TRANSLATION, examples, target_language="zh", carries=("source",))


def json_task() -> TaskSpec:
    people = [("Ada Lund", 36, "Oslo"), ("Ben Asare", 41, "Accra"), ("Cho Min", 29, "Busan"), ("Dina Katz", 52, "Haifa"),
              ("Emil Novak", 18, "Brno"), ("Fay Wood", 63, "Leeds"), ("Gus Holm", 27, "Turku")]  # fmt: skip
    examples = [
        example(
            i,
            f'Extract name, age and city as JSON: "{name}, aged {age}, has lived in {city} for years."',
            json.dumps({"name": name, "age": age, "city": city}),
        )
        for i, (name, age, city) in enumerate(people)
    ]
    return task(AnswerKind.JSON, examples)


def open_task() -> TaskSpec:
    topics = ("a lost key", "the first snow", "a dog that sings", "an empty station", "two old friends", "a red kite")
    return task(
        AnswerKind.OPEN_ENDED, [example(i, f"Write a short story about {topic}.") for i, topic in enumerate(topics)]
    )


TASKS = {
    "number": number_task,
    "math": math_task,
    "choice": choice_task,
    "labels": label_task,
    "short_text": short_text_task,
    "long_text": long_text_task,
    "summary": summary_task,
    "translation": translation_task,
    "translation_to_chinese": translation_to_chinese_task,
    "json": json_task,
    "open_ended": open_task,
}


def sql_task() -> TaskSpec:
    schema = (
        "CREATE TABLE members (id INTEGER PRIMARY KEY, name TEXT, town TEXT, born INTEGER);\n"
        "CREATE TABLE loans (id INTEGER PRIMARY KEY, member_id INTEGER REFERENCES members(id), title TEXT, days INTEGER);"
    )
    pairs = [
        ("Names of all members from Lund.", "SELECT name FROM members WHERE town = 'Lund'"),
        ("How many loans lasted longer than 30 days?", "SELECT COUNT(*) FROM loans WHERE days > 30"),
        ("The longest loan in days.", "SELECT MAX(days) FROM loans"),
        ("Towns with at least two members.", "SELECT town FROM members GROUP BY town HAVING COUNT(*) >= 2"),
        ("Names of members with their titles.", "SELECT m.name, l.title FROM members m JOIN loans l ON l.member_id = m.id"),
        ("Names of members, oldest first.", "SELECT name FROM members ORDER BY born, name"),
        ("Average days of the loans of members born after 1990.",
         "SELECT AVG(l.days) FROM loans l JOIN members m ON m.id = l.member_id WHERE m.born > 1990"),
    ]  # fmt: skip
    examples = [
        example(i, f"Schema:\n{schema}\n\nQuestion: {question}", gold) for i, (question, gold) in enumerate(pairs)
    ]
    return task(AnswerKind.SQL, examples, carries=("schema",))


_PROGRAMS = [
    ("count_vowels", "counts the vowels of a text",
     "def count_vowels(text):\n    total = 0\n    for letter in text.lower():\n        if letter in 'aeiou':\n            total += 1\n    return total\n",
     ["count_vowels('banana') == 3", "count_vowels('') == 0", "count_vowels('SKY') == 0", "count_vowels('Queue') == 4"]),
    ("running_sum", "gives the running sums of a list of numbers",
     "def running_sum(numbers):\n    total, sums = 0, []\n    for number in numbers:\n        total += number\n        sums.append(total)\n    return sums\n",
     ["running_sum([1, 2, 3]) == [1, 3, 6]", "running_sum([]) == []", "running_sum([5, -5, 2]) == [5, 0, 2]"]),
    ("is_leap", "tells whether a year is a leap year",
     "def is_leap(year):\n    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)\n",
     ["is_leap(2024) is True", "is_leap(1900) is False", "is_leap(2000) is True", "is_leap(2023) is False"]),
    ("second_largest", "returns the second largest of the distinct numbers, or None",
     "def second_largest(numbers):\n    distinct = sorted(set(numbers))\n    if len(distinct) < 2:\n        return None\n    return distinct[-2]\n",
     ["second_largest([1, 5, 3]) == 3", "second_largest([4, 4]) is None", "second_largest([2, 9, 9, 7]) == 7"]),
    ("rotate", "rotates a list to the right by some steps",
     "def rotate(items, steps):\n    if not items:\n        return []\n    steps = steps % len(items)\n    return items[-steps:] + items[:-steps]\n",
     ["rotate([1, 2, 3, 4], 1) == [4, 1, 2, 3]", "rotate([], 3) == []", "rotate([1, 2, 3], 5) == [2, 3, 1]"]),
    ("gcd", "gives the greatest common divisor of two numbers",
     "def gcd(one, other):\n    while other:\n        one, other = other, one % other\n    return one\n",
     ["gcd(12, 18) == 6", "gcd(7, 5) == 1", "gcd(9, 0) == 9"]),
]  # fmt: skip


def code_tests_task() -> TaskSpec:
    examples = []
    for index, (name, what, program, tests) in enumerate(_PROGRAMS):
        asserts = "\n".join(f"assert {test}" for test in tests)
        examples.append(
            example(index, f"Write a Python function {name} that {what}.\n\nIt must pass:\n{asserts}", program)
        )
    return task(AnswerKind.CODE_TESTS, examples, carries=("tests",))


def code_reference_task() -> TaskSpec:
    examples = [
        example(index, f"Write a Python function {name} that {what}.", program)
        for index, (name, what, program, _tests) in enumerate(_PROGRAMS)
    ]
    return task(AnswerKind.CODE_REFERENCE, examples)


def code_stdio_task() -> TaskSpec:
    examples = []
    for index in range(6):
        cases = [{"input": f"{a} {b}\n", "output": f"{a * b + index}\n"} for a, b in ((2, 3), (7, 1), (0, 9), (5, 5))]
        prompt = (
            f"Write a Python program that reads two numbers from standard input and prints their product plus {index}."
        )
        examples.append(example(index, prompt, tests=cases))
    return task(AnswerKind.CODE_STDIO, examples, has_reference=False, carries=("tests",))


def code_calls_task() -> TaskSpec:
    """LeetCode's way: a typed starter, arguments as lines of JSON, no reference program."""
    starters = (
        ("spread", "values: List[int]", "int", [([4, 9, 1], 8), ([7], 0), ([-3, 8], 11)]),
        ("ends", "text: str", "str", [("oak", "ok"), ("ash tree", "ae"), ("ab", "ab")]),
        ("halves", "values: List[int]", "List[float]", [([4, 9], [2.0, 4.5]), ([1], [0.5]), ([], [])]),
        ("longest", "words: List[str]", "str", [(["oak", "birch"], "birch"), (["fir"], "fir"), (["yew", "rowan"], "rowan")]),
        ("even", "n: int", "bool", [(4, True), (7, False), (0, True)]),
        ("digits", "n: int", "List[int]", [(407, [4, 0, 7]), (12, [1, 2]), (65, [6, 5])]),
    )  # fmt: skip
    examples = []
    for index, (name, parameter, returns, calls) in enumerate(starters):
        code = f"class Solution:\n    def {name}(self, {parameter}) -> {returns}:\n        "
        table = {
            "fn_name": name,
            "inputs": [json.dumps(given) for given, _ in calls],
            "outputs": [json.dumps(result) for _, result in calls],
        }
        examples.append(
            example(index, f"Complete the method `{name}`.\n```python\n{code}\n```", tests=json.dumps(table))
        )
    return task(AnswerKind.CODE_TESTS, examples, has_reference=False, carries=("tests",))


def constraints_task() -> TaskSpec:
    wishes = (
        "Do not use any commas in your response.",
        "Answer with at least 60 words.",
        "Your entire response should be in lowercase letters.",
        "Write exactly 3 paragraphs separated by two line breaks.",
        "Include the keywords 'harbour' and 'lantern'.",
        "Finish your response with the phrase 'That is all.'",
        "Your response must contain exactly 4 bullet points in markdown.",
        "Wrap your entire response in double quotation marks.",
    )
    examples = [example(i, f"Write about the town where you grew up. {wish}") for i, wish in enumerate(wishes)]
    return task(AnswerKind.CONSTRAINTS, examples, has_reference=False, carries=("constraints",))


TASKS.update(
    sql=sql_task,
    code_tests=code_tests_task,
    code_reference=code_reference_task,
    code_stdio=code_stdio_task,
    code_calls=code_calls_task,
    constraints=constraints_task,
)
