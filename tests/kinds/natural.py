"""What chat models write: sentences around an answer, with the other values that stand beside it.

A form holds slots. `a` is what the text gives as its answer; the other slots are values that it only mentions. A reader
may say 1.0 where the reference is `a`, must not where it is anything else, and must never say 0.0 where it is `a`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple


class Case(NamedTuple):
    """One completion with the references that it meets and does not meet."""

    tool: str
    prompt: str
    completion: str
    gives: str
    mentions: tuple[str, ...]
    binding: dict[str, object]


class _Scene(NamedTuple):
    prompt: str
    x: int
    y: int
    z: int
    """x groups of y, of which z are taken away."""
    noun: str
    who: str


_SCENES = (
    _Scene("Lena bakes 12 trays of 8 rolls and sells 36 of them. How many rolls does she have left?", 12, 8, 36, "rolls", "Lena"),
    _Scene("A farm packs 15 crates with 24 pears each; 75 pears are spoiled. How many good pears are there?", 15, 24, 75, "pears", "the farm"),
    _Scene("Omar earns $14 an hour for 35 hours and pays $90 in tax. How many dollars does he keep?", 35, 14, 90, "dollars", "Omar"),
    _Scene("A train covers 9 stages of 65 km, but 120 km are by bus. How many km does it run on rails?", 9, 65, 120, "km", "the train"),
)  # fmt: skip

NUMBER = (
    "{x} × {y} = {mid}. {mid} − {z} = {a}. {Who} has {a} {n} left.",
    "First, we compute the total: {x} * {y} = {mid} {n}.\nThen we subtract: {mid} - {z} = {a}.\n\nSo the result is {a} {n}.",
    "There are {mid} {n} in all. Taking away {z} leaves {a}.",
    "There are {mid} {n} in all, and {z} are gone, so {a} remain.",
    "{Who} starts with {mid} {n}. After losing {z}, {who} has {a}.",
    "{Who} has {a} {n} left, since {mid} − {z} = {a}.",
    "{Who} has {a} {n} left because {z} of the {mid} are gone.",
    "{Who} ends up with {a} {n} out of the original {mid}.",
    "{a} {n} are left out of {mid}.",
    "Of the {mid} {n}, {z} are gone. That leaves {a}.",
    "Of the {mid} {n}, {a} are left.",
    "We get {a} {n}. (Check: {a} + {z} = {mid}.)",
    "We get {a} {n}.\n\nCheck: {a} + {z} = {mid}, and {mid} / {x} = {y}. ✓",
    "**Step 1:** {x} × {y} = {mid}\n**Step 2:** {mid} − {z} = {a}\n\n**{a} {n}**",
    "1. Total: {x} × {y} = {mid}\n2. Remaining: {mid} − {z} = {a}",
    "- Total {n}: {mid}\n- Taken away: {z}\n- Left: {a}",
    "| Step | Value |\n|---|---|\n| total | {mid} |\n| gone | {z} |\n| left | {a} |",
    "| Step | Value |\n|---|---|\n| total | {mid} |\n| gone | {z} |\n\n{Who} therefore has {a} {n}.",
    "At first I thought it was {w}, but that forgets the {z}. The right number is {a}.",
    "It looks like {w} at first glance. However, it is {a}.",
    "I get {w}. Wait, let me recheck: {mid} - {z} = {a}. So it's {a}.",
    "{mid} − {z} = {w}... no, that's wrong, {mid} − {z} = {a}.",
    "Hmm, {w}? No. {x} times {y} is {mid}, minus {z} is {a}.",
    "You might be tempted to say {w}, but the correct value is {a}.",
    "Not {w}, but {a} {n}.",
    "It is {a}, not {w}.",
    "It's {a} {n} rather than {w}.",
    "{Who} has {a} {n}, and not {w} as one may think.",
    "Let n be the number left. n + {z} = {mid}, so n = {a}.",
    "Let $n$ be the number of {n}. Then $n = {x} \\cdot {y} - {z} = {mid} - {z} = {a}$.",
    "$$ {x} \\times {y} - {z} = {a} $$",
    "\\[ {mid} - {z} = {a} \\]\nThus there are {a} {n}.",
    "\\begin{{align*}} {x} \\cdot {y} &= {mid} \\\\ {mid} - {z} &= {a} \\end{{align*}}",
    "The calculation is {x}×{y}−{z} = {a}.",
    "{x} × {y} − {z} gives {a} {n}.",
    "Multiplying {x} by {y} gives {mid}; subtracting {z} gives {a}.",
    "{Who} makes {mid} {n} and loses {z}: {a}.",
    "How many {n} are left? {a}.",
    "How many are left from {mid} if {z} go? It's {a} {n}.",
    "{a} {n}. To see why, note that {x} × {y} = {mid}, and {mid} − {z} = {a}.",
    "{a}\n\nExplanation: {x} groups of {y} make {mid}; {z} are taken away.",
    "{a}\n\nThere are {x} groups of {y}, i.e. {mid}, and {z} of them are taken away.",
    "The answer is {a}. There were {mid} before {z} were taken.",
    "The answer is {a} {n}, as {mid} − {z} = {a}.",
    "The answer should be {a}, I believe. Initially there are {mid}.",
    "Therefore, the answer is: {a} {n} ({mid} total minus {z}).",
    "Answer: {a} (from {mid} - {z})",
    "Answer: {mid} − {z} = {a}",
    "**Answer:** {Who} has **{a}** {n} left.",
    "**Answer: {a} {n}**\n\nI hope this helps! Let me know if you have 1 or 2 more questions.",
    "The total is {mid}. The final answer is {a}.\n\nNote: without the {z}, it would be {mid}.",
    "Final answer: {a} {n} (not {w})",
    "\\boxed{{{a}}} {n}, because {mid} - {z} = {a}.",
    "So {who} would have had {mid}, but with {z} gone {who} has {a}.",
    "With {z} gone, {a} of the {mid} {n} remain.",
    "After {z} of the {mid} {n} are gone, {a} {n} remain.",
    "{a} is what remains of {mid} after {z} are taken.",
    "Es bleiben {a} {n} übrig, denn {mid} − {z} = {a}.",
    "Insgesamt sind es {mid}. Davon gehen {z} ab, also bleiben {a}.",
    "Die Antwort lautet {a}, nicht {w}.",
    "Il reste {a} {n}, car {mid} − {z} = {a}.",
    "Au total {mid}, moins {z}, il reste donc {a}.",
    "Quedan {a} de los {mid}.",
    "En total hay {mid}; si quitamos {z}, quedan {a}.",
    "Rimangono {a}, poiché {mid} − {z} = {a}.",
    "Restam {a}, pois {mid} − {z} = {a}.",
    "一共有{mid}个，去掉{z}个，还剩{a}个。",
    "答案是{a}，不是{w}。",
    "Всего {mid}. Если убрать {z}, останется {a}.",
    "全部で{mid}個あり、{z}個なくなると{a}個残ります。",
    "{Who} is left with {a}. If nothing had been taken, it would be {mid}.",
    "{Who} is left with {a} {n}. The other {z} are gone.",
    "That is {mid} in total. {z} of them are gone. {a} are left.",
    "Since {z} of the {mid} are gone, {who} has {a} {n}.",
    "Given {mid} {n} and a loss of {z}, the remainder is {a}.",
    "Subtract {z} from {mid} to get {a}.",
    "By subtracting {z} from {mid}, we find {a} {n}.",
    "{mid} less {z} is {a}.",
    "{mid} minus {z} equals {a}. ✅",
    "So it's {a} — that is, {mid} minus {z}.",
    "{a}, i.e. {mid} minus {z}.",
    "{a} = {mid} − {z}",
    "{mid} − {z} = {a}, which is less than {mid}.",
    "{mid} − {z} = {a} {n} in 1 go.",
    "Left: {a} of {mid}.",
    "{a}/{mid} {n} are left, so {a}.",
    "Total: {mid}. Left: {a}.",
    "Initial: {mid}\nTaken: {z}\nRemaining: {a}",
    "Result = {a}\nCheck = {mid}",
    "Roughly {w} by estimation; exactly {a}.",
    "An estimate would be {w}; the exact value is {a}.",
    "If {who} lost none it would be {mid}. But {z} are lost. Hence {a}.",
)  # fmt: skip


def number(seed: int) -> Iterator[Case]:
    """Every form about one scene."""
    rng = random.Random(seed)
    for form in NUMBER:
        scene = rng.choice(_SCENES)
        middle = scene.x * scene.y
        answer = middle - scene.z
        for stated in (answer, answer + rng.choice((-20, -9, 7, 10))):
            wrong = stated + rng.choice((-11, -3, 4, 13))
            text = form.format(x=scene.x, y=scene.y, z=scene.z, mid=middle, a=stated, w=wrong, n=scene.noun, who=scene.who, Who=scene.who[:1].upper() + scene.who[1:])  # fmt: skip
            others = tuple(str(value) for value in (middle, scene.z, wrong, stated + 1) if value != stated)
            yield Case("number", scene.prompt, text, str(stated), others, {})


_FORMULAS = (
    ("Solve $x^2 - 5x + 6 = 0$ for the larger root.", "3", "2", "x"),
    ("Expand $(x+2)(x-3)$.", "x^2 - x - 6", "x^2 + x - 6", "y"),
    ("What is the derivative of $x^3 + 4x$?", "3x^2 + 4", "3x^2 + 4x", "f'(x)"),
    ("Evaluate $\\int_0^1 x^2\\,dx$.", "\\frac{1}{3}", "\\frac{1}{2}", "I"),
    ("Find the length of the diagonal of a square with side 5.", "5\\sqrt{2}", "25\\sqrt{2}", "d"),
    ("What is the area of a circle of radius 3?", "9\\pi", "6\\pi", "A"),
    ("For which $x$ is $x^2 < 4$?", "(-2, 2)", "[-2, 2]", "S"),
    ("Simplify $\\frac{2n}{6}$.", "\\frac{n}{3}", "\\frac{n}{4}", "q"),
)  # fmt: skip

MATH = (
    "${v} = {a}$", "We find that ${v} = {a}$.", "Therefore, the result is ${a}$.", "So we obtain $$ {v} = {a}. $$", "\\[ {v} = {a} \\]", "Thus \\({v} = {a}\\).",
    "It is ${a}$, not ${w}$.", "It is not ${w}$ but ${a}$.", "At first sight it is ${w}$, but actually it is ${a}$.", "One may think of ${w}$. However, it is ${a}$.",
    "I first got ${w}$. Let me recheck. It should be ${a}$.", "Trying ${w}$ fails, so it must be ${a}$.", "The answer is ${a}$ rather than ${w}$.", "The answer is ${a}$, because the alternative ${w}$ does not fit.",
    "The answer is ${a}$. (A common mistake is ${w}$.)", "**Answer:** ${a}$\n\nNote that ${w}$ is a common mistake.", "$\\boxed{{{a}}}$", "\\[\\boxed{{{v} = {a}}}\\]", "Final answer: ${v} = {a}$.", "#### ${a}$",
    "Step 1: set it up.\nStep 2: compute.\n\n${v} = {a}$", "1. We write down the formula.\n2. We simplify.\n3. We get ${a}$.", "**Result:** ${a}$", "Result: ${v}={a}$", "- guess: ${w}$\n- checked: ${a}$\n\nSo it is ${a}$.",
    "${a}$", "{a}", "${a}$ is the result.", "${a}$, since the other candidate ${w}$ is excluded.", "Hence the value equals ${a}$ and not ${w}$.", "Let me think... it must be ${a}$.", "Die Lösung ist ${a}$.", "Das Ergebnis ist ${a}$, nicht ${w}$.",
    "Le résultat est ${a}$.", "La réponse est ${a}$ et non ${w}$.", "El resultado es ${a}$.", "Il risultato è ${a}$.", "O resultado é ${a}$.", "结果是${a}$。", "所以答案为 ${a}$。", "Ответ: ${a}$.", "答えは ${a}$ です。",
    "Using the formula, ${v} = {a}$. This completes the solution.", "Using the formula, ${v} = {a}$.\n\nThis completes the solution.", "${v} = {a}$ ✓", "We conclude that\n\n$${a}$$", "which gives us ${a}$ as the answer.",
    "The correct option among ${w}$ and ${a}$ is ${a}$.", "Is it ${w}$? No, it is ${a}$.", "Could it be ${w}$? Substituting shows it can't. It is ${a}$.", "My first attempt gave ${w}$, which is wrong; the right one is ${a}$.",
    "Had we forgotten a step, we would get ${w}$. The result is ${a}$.", "The answer is ${a}$. If we forget a step, we get ${w}$.",
)  # fmt: skip


def mathematics(seed: int) -> Iterator[Case]:
    """Every form about one formula, given rightly and wrongly."""
    rng = random.Random(seed)
    for form in MATH:
        prompt, right, wrong, name = rng.choice(_FORMULAS)
        for stated, other in ((right, wrong), (wrong, right)):
            mentions = (other,) if "{w}" in form else ("\\frac{7}{11}",)
            yield Case("math", prompt, form.format(a=stated, w=other, v=name), stated, mentions, {})


_OPTIONS = (
    ("Which metal is liquid at room temperature?", {"A": "iron", "B": "mercury", "C": "gold", "D": "zinc"}, "B"),
    ("Which planet is the largest?", {"A": "Mars", "B": "Venus", "C": "Saturn", "D": "Jupiter"}, "D"),
    ("What did the treaty end?", {"A": "the civil war", "B": "the trade dispute", "C": "the occupation", "D": "the famine"}, "A"),
    ("Which organ filters blood?", {"A": "the heart", "B": "the lungs", "C": "the kidneys", "D": "the skin"}, "C"),
)  # fmt: skip

CHOICE = (
    "{a}", "({a})", "{a}.", "{a}) {A}", "{a}. {A}", "**{a}**", "**{a}) {A}**", "Option {a}.", "It's {a}.", "The answer is {a}.", "The correct answer is {a}) {A}.", "The correct answer is **{a}. {A}**.", "Answer: {a}", "Answer: {a}. {A}",
    "I think it's {a}, {A}.", "I believe the right choice is {a}.", "I'd say {a}.", "My answer would be {a}.", "I'm going with {a}.", "Let's go with {a}: {A}.", "Probably {a}.", "The best choice is therefore {a}.", "The best answer is therefore {A}.",
    "The correct option is thus ({a}).", "Hence, {a} is the right choice.", "So {a} it is.", "That leaves {a}.", "That leaves only {A}.", "{b} is wrong, {c} is wrong, and {d} is wrong. So {a}.",
    "We can rule out {b}, {c} and {d}, so {a} remains.", "Rule out {b} because it is off. Rule out {c} and {d} too. {a} remains.", "I can eliminate {b} and {c}. Between {a} and {d}, {a} fits better.",
    "Between {a} and {b}, I choose {a}.", "It is a close call between {a} and {b}, but {a} is better.", "{B} is tempting, but {A} is correct.", "While {B} may seem right, it is {A}.", "Although {b} looks plausible, the answer is {a}.",
    "{b}) {B} - no.\n{c}) {C} - no.\n{d}) {D} - no.\n{a}) {A} - yes.", "A: {oA}: {vA}\nB: {oB}: {vB}\nC: {oC}: {vC}\nD: {oD}: {vD}", "Let's look at each option.\n\nA) {oA}: {vA}.\nB) {oB}: {vB}.\nC) {oC}: {vC}.\nD) {oD}: {vD}.\n\nThe answer is {a}.",
    "Let's look at each option.\n\nA) {oA} is {vA}.\nB) {oB} is {vB}.\nC) {oC} is {vC}.\nD) {oD} is {vD}.\n\nTherefore, the answer is ({a}) {A}.", "The options are {oA}, {oB}, {oC} and {oD}. {A} is the one that fits.",
    "Neither {B} nor {C} fits. {A} does.", "Not {b}; {a}.", "It isn't {B}, it's {A}.", "Not {B} but {A}.", "First I thought {b}. Then I saw that {a} fits. So {a}.", "At first glance {b}, but on reflection {a}.", "Wait, not {b}. It's {a}.",
    "{a}, not {b}.", "{a} rather than {b}.", "{a}, because {B} is something else.", "{A}, as opposed to {B}.", "{A}. {B} would be a different matter.", "The answer is {a} since {b} and {c} are false.", "The answer is {a}. {b} is a common mistake.",
    "Die richtige Antwort ist {a}.", "Richtig ist {a}) {A}.", "Antwort {a} ist richtig, {b} ist falsch.", "La bonne réponse est {a}.", "La réponse correcte est la {a}.", "La respuesta correcta es la {a}.", "La opción correcta es {a}) {A}.",
    "La risposta corretta è la {a}.", "A resposta correta é a letra {a}.", "Правильный ответ: {a}.", "正确答案是{a}。", "选项{a}正确，{b}不正确。", "因此应选{a}。", "正解は{a}です。", "정답은 {a}입니다.",
    "After careful thought:\n\n{a}", "{a}\n\nExplanation: {A} is what the question describes, whereas {B} is not.", "{a}\n\nThe other options ({b}, {c}, {d}) do not fit.", "**Answer:** {a}\n\n**Reasoning:** {B} and {C} do not fit.",
    "\\boxed{{{a}}}", "\\boxed{{\\text{{{a}}}}}", "$\\boxed{{{a}}}$. {b} is wrong.", "<answer>{a}</answer>", "Choice {a} is correct.", "Option {a} ({A}) is correct; option {b} ({B}) is not.", "{A} is the answer.", "The answer must be {A}, since {B} is impossible.",
    "Of the four, only {a} holds.", "Only {A} matches.", "Only option {a} satisfies this.", "All but {a} are wrong.", "Everything except {A} can be excluded.", "By elimination, {a}.", "By process of elimination, the answer is {a}.", "The odd ones out are {b}, {c}, {d}; thus {a}.",
    "Definitely {a}!", "{a} ✅", "✅ {a}) {A}\n❌ {b}) {B}", "I'm torn, but I'll say {a}.", "If I had to choose, I'd choose {a} over {b}.", "I prefer {a} to {b}.", "{a} is better than {b}.", "{a} > {b}",
)  # fmt: skip


def choices(seed: int) -> Iterator[Case]:
    """Every form about one question, with a right and a wrong option chosen."""
    rng = random.Random(seed)
    for form in CHOICE:
        prompt, options, right = rng.choice(_OPTIONS)
        wrong = rng.choice([letter for letter in options if letter != right])
        for chosen, reference in ((right, wrong), (wrong, right)):
            rest = [letter for letter in options if letter not in {chosen, reference}]
            rng.shuffle(rest)
            slots = dict(zip("abcd", (chosen, reference, *rest), strict=True))
            slots |= {slot.upper(): options[letter] for slot, letter in zip("abcd", slots.values(), strict=True)}
            slots |= {f"o{letter}": text for letter, text in options.items()}
            slots |= {f"v{letter}": "correct" if letter == chosen else "incorrect" for letter in options}
            listed = "\n".join(f"{letter}) {text}" for letter, text in options.items())
            mentions = tuple(letter for letter in options if letter != chosen)
            yield Case("choice", f"{prompt}\n{listed}", form.format(**slots), chosen, mentions, {"options": options})


_NAMES = (
    ("Who wrote the novel about the lighthouse?", "Mara Lindqvist", "Tomas Berg", "wrote the novel about the lighthouse"),
    ("Which city hosts the spring fair?", "Almeria", "Granada", "hosts the spring fair"),
    ("What is the tallest tower in the region called?", "the Amber Tower", "Fort Keel", "is the tallest tower in the region"),
    ("Which river flows through the old town?", "the Vell", "the Orba", "flows through the old town"),
    ("Who composed the anthem?", "J. R. Hartley", "E. W. Stone", "composed the anthem"),
    ("Which element did she discover?", "radium", "polonium", "is the element that she discovered"),
)  # fmt: skip

SHORT = (
    "{a}", "{a}.", "**{a}**", "It is {a}.", "It was {a}.", "The answer is {a}.", "Answer: {a}", "{A} {v}.", "I believe it is {a}.", "I think the answer is {a}.", "That would be {a}.", "This is {a}.", "It's {a}, not {w}.", "It was {a} rather than {w}.",
    "Not {w} but {a}.", "It isn't {w}; it's {a}.", "At first I thought of {w}, but it is {a}.", "Many people say {w}, but the right answer is {a}.", "While {w} is often named, {a} {v}.", "Although {w} is better known, it is {a}.",
    "{A}, who came after {w}.", "It was {a}, which is often confused with {w}.", "{A} (not to be confused with {w})", "{A} {v}, and not {w}.", "The correct answer is {a}; {w} is wrong.", "The correct answer is {a}. {W} is a common mistake.",
    "{A}.\n\n{W} is often named, but that is a mistake.", "{A}\n\nExplanation: the sources agree on it.", "Let me think. {W}? No, {a}.", "Hmm, is it {w}? No. It is {a}.", "Sure! The answer is {a}.", "Great question! It is {a}.", "Based on the text, it is {a}.",
    "According to the text, {a} {v}.", "Es war {a}.", "Die Antwort lautet {a}.", "Es war {a}, nicht {w}.", "C'est {a}.", "C'était {a} et non {w}.", "La réponse est {a}.", "Es {a}.", "La respuesta es {a}.", "Fue {a}, no {w}.", "È {a}.", "La risposta è {a}.",
    "A resposta é {a}.", "答案是{a}。", "是{a}，不是{w}。", "Это {a}.", "Ответ: {a}", "答えは{a}です。", "정답: {a}", "\\boxed{{\\text{{{a}}}}}", "\\boxed{{{a}}}", "<answer>{a}</answer>", "**Answer:** {a}", "Final answer: **{a}**", "Correct: {a}",
    "Question: {q}\nAnswer: {a}", "{q} {A}.", "I'm not sure, but I think {a}.", "Probably {a}.", "Most likely {a}.", "I'd say {a}.", "My guess is {a}.", "{A}, as far as I know.", "{A}, of course.", "It has to be {a}.", "We are looking for {a}.",
    "The thing in question is {a}.", "The name is {a}.", "- {a}", "1. {a}", "> {a}", "\"{a}\"", "`{a}`", "It is called {a}.", "known as {a}", "Unlike {w}, {a} {v}.", "It was {a} and nobody else.", "It was none other than {a}.", "No doubt it was {a}.",
)  # fmt: skip


def short_answers(seed: int) -> Iterator[Case]:
    """Every form about one question, with the right name and the other one given."""
    rng = random.Random(seed)
    for form in SHORT:
        prompt, right, wrong, does = rng.choice(_NAMES)
        for stated, other in ((right, wrong), (wrong, right)):
            slots = {"a": stated, "w": other, "v": does, "q": prompt}
            slots |= {"A": stated[:1].upper() + stated[1:], "W": other[:1].upper() + other[1:]}
            yield Case("short_text", prompt, form.format(**slots), stated, (other,), {})


def cases(seed: int) -> Iterator[Case]:
    """All kinds."""
    yield from number(seed)
    yield from mathematics(seed)
    yield from choices(seed)
    yield from short_answers(seed)
