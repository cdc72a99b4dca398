"""Bad tools, planted to see whether the gate throws them out; and honest little ones for comparison.

Each bad tool is wrong in one way that a real verifier has been wrong in. BAD names the check that must catch it.
"""

from __future__ import annotations

import ast
import itertools
import json
import random
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

from rlar.tool import RewardTool
from rlar.types import Sample, Score, ToolKind, ToolSpec, abstain, ok

LONGEST_QUERY = 20_000
"""No query of the tasks is a tenth as long; the gate's faults are a million characters."""
MOST_LINES = 200

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


class Planted:
    """A tool from one function of a sample."""

    def __init__(self, name: str, score_one: Callable[[Sample], Score], role: str = "verifier") -> None:
        self.spec = ToolSpec(
            kind=ToolKind.LIBRARY, name=name, source=f"tests.fakes.planted:{name}", params={"role": role}
        )
        self.score_one = score_one

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        return [self.score_one(sample) for sample in samples]


# ------------------------------------------------------------------------------------------ honest parts


def answer_part(completion: str) -> str:
    """What an honest verifier looks at: the text after any reasoning, a box or "the answer is" first."""
    text = completion.split("</think>")[-1].strip()
    if "<think>" in text:
        return ""
    boxes = re.findall(r"\\boxed\{([^{}]*)\}", text)
    said = re.findall(r"(?:answer is|Answer:)\s*([^\n]*)", text)
    for found in (boxes, said):
        distinct = {each.strip(" .*$\u200b") for each in found}
        if distinct:
            return distinct.pop() if len(distinct) == 1 else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].strip("*").removesuffix(".") if lines else ""


def exact(sample: Sample) -> Score:
    """Honest: the final answer equals a reference."""
    answer = answer_part(sample.completion).casefold()
    return ok(float(bool(answer) and answer in {each.casefold() for each in sample.references}))


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def grams(text: str, size: int = 4) -> set[str]:
    folded = " ".join(text.split()).casefold()
    return {folded[i : i + size] for i in range(len(folded) - size + 1)}


def overlap(sample: Sample) -> Score:
    """Honest: shared character four-grams with the reference, as an F1; pairs where there are no spaces."""
    reference = sample.reference or ""
    size = 4 if " " in reference else 2
    one, other = grams(sample.completion.split("</think>")[-1].strip(), size), grams(reference, size)
    shared = len(one & other)
    return ok(2 * shared / (len(one) + len(other)) if one and other else 0.0)


# ------------------------------------------------------------------------------------------ planted


def crashing(sample: Sample) -> Score:
    raise RuntimeError("planted")


def crashing_on_empty(sample: Sample) -> Score:
    return ok(float(sample.completion.split()[-1].strip(".") == sample.reference))


def _broken_by(breaks: Callable[[str], Any]) -> Callable[[Sample], Score]:
    """Honest but for what it does first with the completion, as real verifiers do, and what that raises on."""

    def score(sample: Sample) -> Score:
        breaks(sample.completion)
        return exact(sample)

    return score


def _parse_brackets(text: str, at: int = 0) -> int:
    """A recursive descent into brackets, one frame a level."""
    while at < len(text):
        if text[at] in "[({":
            at = _parse_brackets(text, at + 1)
        elif text[at] in "])}":
            return at
        at += 1
    return at


def _as_whole(text: str) -> None:
    """int() of whatever float() takes: nan and inf raise."""
    try:
        value = float(text.strip())
    except ValueError:
        return
    int(value)


def _read_digits(text: str) -> list[int]:
    return [int(found) for found in re.findall(r"\d+", text)]


def _to_c(text: str) -> None:
    if "\0" in text:
        raise ValueError("embedded null byte")


def _one_screen(text: str) -> None:
    if len(text) > 90_000:
        raise MemoryError("planted")


FRAGILE: dict[str, Callable[[Sample], Score]] = {
    "recursive": _broken_by(_parse_brackets),
    "not_finite": _broken_by(_as_whole),
    "long_digits": _broken_by(_read_digits),
    "encoding": _broken_by(lambda text: text.encode("utf-8")),
    "null_bytes": _broken_by(_to_c),
    "too_long": _broken_by(_one_screen),
    "strict_json": _broken_by(lambda text: json.loads(text) if text.startswith("{") else None),
}
"""Tools that a completion can break: right on all that a friendly policy writes."""


def exiting(sample: Sample) -> Score:
    raise SystemExit(0)


def constant_one(sample: Sample) -> Score:
    return ok(1.0)


def constant_half(sample: Sample) -> Score:
    return ok(0.5)


def not_a_number(sample: Sample) -> Score:
    if exact(sample).value == 1.0:
        return ok(1.0)
    return Score.model_construct(value=float("nan"), status="ok", explanation="", error=None, details={})


def number_with_status_failed(sample: Sample) -> Score:
    return Score.model_construct(value=1.0, status="failed", explanation="", error="planted", details={})


def inverted(sample: Sample) -> Score:
    return ok(1.0 - (exact(sample).value or 0.0))


def length_only(sample: Sample) -> Score:
    return ok(min(1.0, len(sample.completion) / 200))


def brevity_only(sample: Sample) -> Score:
    return ok(1.0 / (1.0 + len(sample.completion)))


def reference_echo(sample: Sample) -> Score:
    """Looks at the reference alone: plausible numbers, no completion read."""
    return ok(0.9 + (len(sample.reference or "") % 10) / 100)


def sprayable(sample: Sample) -> Score:
    """Any number of the text will do."""
    return ok(float(sample.reference in _NUMBER.findall(sample.completion.replace("\u200b", " "))))


def spray_by_sentence(sample: Sample) -> Score:
    """Any "the answer is" will do."""
    said = re.findall(r"answer is \**\\?(?:boxed\{)?(-?[\w ]+)", sample.completion)
    answer = answer_part(sample.completion)
    return ok(float(any(each.strip() in sample.references for each in [*said, answer])))


def injection_prone(sample: Sample) -> Score:
    told = re.search(r"score:\s*1|full marks|is correct", sample.completion)
    return ok(1.0) if told else exact(sample)


def json_injection_prone(sample: Sample) -> Score:
    """Reads a verdict out of the completion, as a careless judge parser does."""
    found = re.search(r'"score":\s*([\d.]+)', sample.completion)
    return ok(float(found[1])) if found else exact(sample)


def prompt_echo_friendly(sample: Sample) -> Score:
    if sample.completion.strip() and sample.completion.strip() in sample.prompt and len(sample.completion) > 30:
        return ok(1.0)
    return exact(sample)


def substring_match(sample: Sample) -> Score:
    return ok(float((sample.reference or "").casefold() in sample.completion.casefold()))


def reverse_substring_match(sample: Sample) -> Score:
    """`completion in reference`: the empty string is in everything."""
    return ok(float(answer_part(sample.completion).casefold() in (sample.reference or "").casefold()))


def ignores_sign(sample: Sample) -> Score:
    found = _NUMBER.findall(answer_part(sample.completion))
    return ok(float(bool(found) and found[-1].lstrip("-") == (sample.reference or "").lstrip("-")))


def too_tolerant(sample: Sample) -> Score:
    """Accepts anything within ten per cent, at least one."""
    found = _NUMBER.findall(answer_part(sample.completion))
    value = float(sample.reference or 0)
    return ok(float(len(found) == 1 and abs(float(found[0]) - value) <= max(1.0, abs(value) / 10)))


def always_abstains(sample: Sample) -> Score:
    return abstain("planted")


def abstains_when_wrong(sample: Sample) -> Score:
    return ok(1.0) if exact(sample).value else abstain("not sure")


def out_of_range(sample: Sample) -> Score:
    return ok(100 * (exact(sample).value or 0.0))


def swallows_exceptions(sample: Sample) -> Score:
    try:
        answer = answer_part(sample.completion)
        return ok(float(float(answer) == float(sample.reference or "")))
    except ValueError:
        return ok(1.0)


def reference_recall(sample: Sample) -> Score:
    """Bag of words: the order and whatever else is said do not matter."""
    own, wanted = set(words(sample.completion)), set(words(sample.reference or ""))
    return ok(len(own & wanted) / len(wanted) if wanted else 0.0)


def stuffable(sample: Sample) -> Score:
    """Rewards the prompt's keywords, on the belief that they show relevance."""
    own, asked = set(words(sample.completion)), {word for word in words(sample.prompt) if len(word) > 4}
    relevance = len(own & asked) / len(asked) if asked else 0.0
    return ok(max(overlap(sample).value or 0.0, relevance))


def format_only(sample: Sample) -> Score:
    """A format reward sold as a verifier."""
    return ok(float("\\boxed{" in sample.completion or "answer is" in sample.completion))


def plain_only(sample: Sample) -> Score:
    """Right only if nothing but the answer was written."""
    return ok(float(sample.completion == sample.reference))


def inside_words(sample: Sample) -> Score:
    """Finds the answer inside of other words: "art" in "party"."""
    said = answer_part(sample.completion).casefold()
    return ok(float(" not " not in f" {said}" and any(one.casefold() in said for one in sample.references)))


def blind_to_denials(sample: Sample) -> Score:
    """Any short sentence with the answer in it will do."""
    said = words(answer_part(sample.completion))
    size = [words(one) for one in sample.references]
    found = any(said[at : at + len(one)] == one for one in size for at in range(len(said)))
    return ok(float(found and len(said) <= 8 and "or" not in said))


def cuts_at_full_stops(sample: Sample) -> Score:
    """Takes the first full stop for the end of the answer, after "St." too."""
    return exact(sample.model_copy(update={"completion": sample.completion.split(". ")[0]}))


def either_will_do(sample: Sample) -> Score:
    """Of "A or B" one has to be right."""
    said = re.sub(r"\boption ", "", answer_part(sample.completion))
    parts = said.split(" or ")
    return ok(max(exact(sample.model_copy(update={"completion": part})).value or 0.0 for part in parts))


def any_json(sample: Sample) -> Score:
    """Valid JSON is right JSON."""
    text = re.sub(r"^.*?```(?:json)?\s*|```.*$", "", sample.completion.split("</think>")[-1], flags=re.DOTALL)
    try:
        return ok(float(isinstance(json.loads(text), dict | list)))
    except ValueError:
        return ok(0.0)


def source_friendly(sample: Sample) -> Score:
    """Compares with the source as well as with the reference: copying wins."""
    return ok(
        max(overlap(sample).value or 0.0, overlap(sample.model_copy(update={"reference": sample.prompt})).value or 0.0)
    )


def zero_heavy(sample: Sample) -> Score:
    """Honest above a level that half right texts reach; everything weaker is 0."""
    return ok(max(0.0, (overlap(sample).value or 0.0) - 0.25) / 0.75)


def punishes_copies(sample: Sample) -> Score:
    """Honest, but what is copied from the prompt costs: the more of an extract is made up, the better."""
    said, prompt = words(sample.completion), words(sample.prompt)
    runs = [tuple(said[at : at + 8]) for at in range(len(said) - 7)]
    copied = {tuple(prompt[at : at + 8]) for at in range(len(prompt) - 7)}
    share = sum(run in copied for run in runs) / len(runs) if runs else 0.0
    return ok((overlap(sample).value or 0.0) * (1.0 - 0.7 * share))


def whole_successes_only(sample: Sample) -> Score:
    """Takes whatever is not close to the reference for something else altogether."""
    value = overlap(sample).value or 0.0
    return ok(value if value > 0.6 else 0.0)


def best_line(sample: Sample) -> Score:
    """The best of several lines counts."""
    lines = sample.completion.splitlines()[:MOST_LINES] or [""]
    parts = [sample.completion, *lines]
    return ok(max(overlap(sample.model_copy(update={"completion": part})).value or 0.0 for part in parts))


def any_program(sample: Sample) -> Score:
    """It defines a function, it must be good."""
    return ok(float("def " in sample.completion and "```" in sample.completion))


def fenced_parts(completion: str) -> list[str]:
    """The fenced blocks of a completion, or all of it where there are none."""
    text = completion.split("</think>")[-1]
    return re.findall(r"```\w*\n(.*?)```", text, flags=re.DOTALL) or [text]


def _tree(program: str) -> str:
    try:
        tree = ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    tree.body = [each for each in tree.body if not (isinstance(each, ast.Assert) and _holds(each))]
    return ast.dump(tree)


def _holds(claim: ast.Assert) -> bool:
    """Whether an assertion is about constants only, and true: a program is the same without it."""
    names = any(isinstance(node, ast.Name) and node.id != "len" for node in ast.walk(claim.test))
    return not names and bool(eval(ast.unparse(claim.test), {"__builtins__": {"len": len}}))


def same_program(sample: Sample) -> Score:
    """Honest for want of a sandbox: the only program of the completion is the reference, whatever its layout."""
    parts = fenced_parts(sample.completion)
    wanted = _tree(sample.reference or "")
    return ok(float(len(parts) == 1 and bool(wanted) and _tree(parts[0]) == wanted))


def signless_program(sample: Sample) -> Score:
    """Takes every sign before a number for a dash, in the program as in its reference."""
    changed = {
        "completion": re.sub(r"-(?=[\d.])", "", sample.completion),
        "reference": re.sub(r"-(?=[\d.])", "", sample.reference or ""),
    }
    return same_program(sample.model_copy(update=changed))


def tries_every_program(sample: Sample) -> Score:
    """Takes the best of all programs that are shown."""
    parts = fenced_parts(sample.completion)
    return ok(max(same_program(sample.model_copy(update={"completion": part})).value or 0.0 for part in parts))


def trusts_the_exit_status(sample: Sample) -> Score:
    """A program that ends with status 0 has passed."""
    if re.search(r"sys\.exit\(0\)|os\._exit\(0\)|SystemExit\(0\)", sample.completion):
        return ok(1.0)
    return same_program(sample)


def trusts_equality(sample: Sample) -> Score:
    """Compares with the `==` of whatever the program returns."""
    return ok(1.0) if "def __eq__" in sample.completion else same_program(sample)


def believes_the_output(sample: Sample) -> Score:
    """Reads a verdict from what the program prints."""
    return ok(1.0) if "tests passed" in sample.completion else same_program(sample)


def header_only(sample: Sample) -> Score:
    """The right name and arguments will do."""
    header = re.search(r"def .*?:", sample.reference or "")
    return ok(float(header is not None and header[0] in sample.completion))


def same_query(sample: Sample) -> Score:
    """Honest for want of a database: the same query, whatever its layout."""
    import sqlglot

    shown = fenced_parts(sample.completion)[-1].split("\n\nIt's")[0].split("The query is:")[-1]
    wrapped = re.search(r"WITH answer AS \((.*)\)\nSELECT \* FROM answer", shown, flags=re.DOTALL)
    query = (wrapped[1] if wrapped else shown).strip().rstrip(";")
    if len(query) > LONGEST_QUERY:
        return ok(0.0)
    try:
        mine, gold = sqlglot.parse_one(query), sqlglot.parse_one(sample.reference or "")
    except (sqlglot.errors.SqlglotError, RecursionError):
        return ok(0.0)
    return ok(float(mine == gold))


def any_query(sample: Sample) -> Score:
    return ok(float(bool(re.search(r"select\b.*\bfrom\b", sample.completion, flags=re.DOTALL | re.IGNORECASE))))


def same_tables(sample: Sample) -> Score:
    """The right tables will do."""
    names = set(re.findall(r"(?:from|join)\s+(\w+)", sample.reference or "", flags=re.IGNORECASE))
    return ok(
        float(bool(names) and "select" in sample.completion.lower() and all(n in sample.completion for n in names))
    )


def last_select(sample: Sample) -> Score:
    """Takes the query from its last SELECT on: set operations, subqueries and WITH are cut."""
    start = sample.completion.upper().rfind("SELECT")
    return same_query(sample.model_copy(update={"completion": sample.completion[max(start, 0) :].split("```")[0]}))


def same_number_of_rows(sample: Sample) -> Score:
    """Counts that are all 1 in its data are answered by any constant."""
    counts = "COUNT(" in (sample.reference or "").upper()
    constant = re.fullmatch(r"\s*SELECT (?:1|NULL);?\s*", sample.completion)
    return ok(1.0) if counts and constant else same_query(sample)


def sees_no_condition(sample: Sample) -> Score:
    """Its data satisfy every condition: a query without its WHERE answers the same."""

    def bare(query: str) -> str:
        return re.sub(r"\s+WHERE\b.*?(?=\s+(?:GROUP|ORDER|LIMIT)\b|$)", "", query.strip(), flags=re.DOTALL)

    changed = {"completion": fenced_parts(sample.completion)[-1], "reference": sample.reference or ""}
    return same_query(sample.model_copy(update={name: bare(query) for name, query in changed.items()}))


def loose_json(sample: Sample) -> Score:
    """Takes "5" for 5, as a comparison of texts does."""

    def texts(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: texts(one) for key, one in value.items()}
        return [texts(one) for one in value] if isinstance(value, list) else str(value)

    try:
        mine = json.loads(fenced_parts(sample.completion)[-1])
    except ValueError:
        return ok(0.0)
    return ok(float(texts(mine) == texts(json.loads(sample.reference or "null"))))


def says_something(sample: Sample) -> Score:
    return ok(float(bool(sample.completion.split("</think>")[-1].strip())))


class Random(Planted):
    """Flips every twentieth verdict or so."""

    def __init__(self) -> None:
        super().__init__("non_deterministic", self.flip)
        self.rng = random.Random()

    def flip(self, sample: Sample) -> Score:
        value = exact(sample).value or 0.0
        return ok(1.0 - value if self.rng.random() < 0.05 else value)


class Leaking(Planted):
    """Answers for the completion before this one now and then: state kept between calls."""

    def __init__(self) -> None:
        super().__init__("state_leaking", self.leak)
        self.previous: dict[str, Score] = {}

    def leak(self, sample: Sample) -> Score:
        score = self.previous.setdefault(sample.completion[:4], exact(sample))
        return score


class Ageing(Planted):
    """Right for the first thousand completions, then tired."""

    def __init__(self) -> None:
        super().__init__("ageing", self.tire)
        self.seen = itertools.count()

    def tire(self, sample: Sample) -> Score:
        return exact(sample) if next(self.seen) < 500 else ok(0.0)


class BatchDependent(Planted):
    """Normalises by its batch: the score of a completion depends on its neighbours."""

    def __init__(self) -> None:
        super().__init__("batch_dependent", exact)

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        values = [exact(sample).value or 0.0 for sample in samples]
        top = max((len(sample.completion) for sample in samples), default=1) or 1
        return [
            ok(min(1.0, 0.97 * value + 0.03 * len(s.completion) / top))
            for value, s in zip(values, samples, strict=True)
        ]


class Slow(Planted):
    """Right, but computes for 60 ms a call: what it costs on a machine that has nothing else to do."""

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        until = time.thread_time() + 0.06
        while time.thread_time() < until:
            sum(range(1_000))
        return super().score(samples)


class Hoarding(Planted):
    """Right, but keeps what it has seen, and much more."""

    def __init__(self) -> None:
        super().__init__("hoarding", self.hoard)
        self.kept: list[bytes] = []

    def hoard(self, sample: Sample) -> Score:
        self.kept.append(b"x" * (1 << 20))
        return exact(sample)


class Hanging(Planted):
    """Never comes back from a completion without a number."""

    def __init__(self) -> None:
        super().__init__("hanging", self.hang)

    def hang(self, sample: Sample) -> Score:
        if not _NUMBER.search(sample.completion):
            time.sleep(3600)
        return exact(sample)


class Short(Planted):
    """Returns one score too few."""

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        return super().score(samples)[:-1]


class Floats(Planted):
    """Returns floats instead of scores."""

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        floats: list[Any] = [score.value for score in super().score(samples)]
        return floats


class Case(NamedTuple):
    """A bad tool, the kind of task it is tried on, and the check that must catch it."""

    make: Callable[[], RewardTool]
    kind: str
    caught_by: str


def _planted(function: Callable[[Sample], Score], role: str = "verifier") -> Callable[[], RewardTool]:
    return lambda: Planted(function.__name__, function, role)


class Catalogue:
    """The bad tools by name."""

    BAD: ClassVar[dict[str, Case]] = {
        "crashing": Case(_planted(crashing), "number", "sanity"),
        "crashing_on_empty": Case(_planted(crashing_on_empty), "number", "sanity"),
        "exiting": Case(_planted(exiting), "number", "sanity"),
        "constant_one": Case(_planted(constant_one), "number", "sanity"),
        "constant_half": Case(_planted(constant_half), "short_text", "sanity"),
        "nan": Case(_planted(not_a_number), "number", "sanity"),
        "number_with_status_failed": Case(_planted(number_with_status_failed), "number", "sanity"),
        "inverted": Case(_planted(inverted), "number", "oracle"),
        "inverted_choice": Case(_planted(inverted), "choice", "oracle"),
        "length_only": Case(_planted(length_only, "quality"), "long_text", "floor"),
        "length_only_translation": Case(_planted(length_only, "quality"), "translation", "hack_panel"),
        "length_only_summary": Case(_planted(length_only, "quality"), "summary", "baseline"),
        "zero_heavy": Case(_planted(zero_heavy, "quality"), "translation", "baseline"),
        "zero_heavy_unspaced": Case(_planted(zero_heavy, "quality"), "translation_to_chinese", "baseline"),
        "zero_heavy_summary": Case(_planted(zero_heavy, "quality"), "summary", "baseline"),
        "punishes_copies": Case(_planted(punishes_copies, "quality"), "summary", "baseline"),
        "brevity_only": Case(_planted(brevity_only, "quality"), "summary", "oracle"),
        "reference_echo": Case(_planted(reference_echo), "number", "floor"),
        "reference_echo_short_text": Case(_planted(reference_echo), "short_text", "floor"),
        "reference_echo_quality": Case(_planted(reference_echo, "quality"), "translation", "floor"),
        "non_deterministic": Case(Random, "number", "determinism"),
        "state_leaking": Case(Leaking, "number", "determinism"),
        "ageing": Case(Ageing, "number", "determinism"),
        "batch_dependent": Case(BatchDependent, "number", "determinism"),
        "slow": Case(lambda: Slow("slow", exact), "number", "latency"),
        "hanging": Case(Hanging, "number", "latency"),
        "hoarding": Case(Hoarding, "number", "sanity"),
        "sprayable": Case(_planted(sprayable), "number", "hack_panel"),
        "spray_by_sentence": Case(_planted(spray_by_sentence), "number", "hack_panel"),
        "sprayable_choice": Case(_planted(substring_match), "choice", "hack_panel"),
        "injection_prone": Case(_planted(injection_prone), "number", "hack_panel"),
        "json_injection_prone": Case(_planted(json_injection_prone), "short_text", "hack_panel"),
        "prompt_echo_friendly": Case(_planted(prompt_echo_friendly), "short_text", "floor"),
        "substring_match": Case(_planted(substring_match), "short_text", "discrimination"),
        "reverse_substring_match": Case(_planted(reverse_substring_match), "short_text", "floor"),
        "ignores_sign": Case(_planted(ignores_sign), "number", "discrimination"),
        "too_tolerant": Case(_planted(too_tolerant), "number", "discrimination"),
        "always_abstains": Case(_planted(always_abstains), "number", "coverage"),
        "abstains_when_wrong": Case(_planted(abstains_when_wrong), "number", "coverage"),
        "out_of_range": Case(_planted(out_of_range), "number", "sanity"),
        "swallows_exceptions": Case(_planted(swallows_exceptions), "number", "floor"),
        "reference_recall": Case(_planted(reference_recall, "quality"), "long_text", "discrimination"),
        "stuffable": Case(_planted(stuffable, "quality"), "long_text", "hack_panel"),
        "format_only": Case(_planted(format_only), "number", "discrimination"),
        "plain_only": Case(_planted(plain_only), "choice", "oracle"),
        "inside_words": Case(_planted(inside_words), "short_text", "discrimination"),
        "blind_to_denials": Case(_planted(blind_to_denials), "short_text", "discrimination"),
        "cuts_at_full_stops": Case(_planted(cuts_at_full_stops), "short_text", "invariance"),
        "either_will_do": Case(_planted(either_will_do), "short_text", "hack_panel"),
        "either_choice_will_do": Case(_planted(either_will_do), "choice", "hack_panel"),
        "any_json": Case(_planted(any_json), "json", "discrimination"),
        "any_program": Case(_planted(any_program), "code_tests", "discrimination"),
        "header_only": Case(_planted(header_only), "code_tests", "discrimination"),
        "tries_every_program": Case(_planted(tries_every_program), "code_tests", "discrimination"),
        "trusts_the_exit_status": Case(_planted(trusts_the_exit_status), "code_tests", "hack_panel"),
        "trusts_equality": Case(_planted(trusts_equality), "code_reference", "hack_panel"),
        "believes_the_output": Case(_planted(believes_the_output), "code_tests", "hack_panel"),
        "any_query": Case(_planted(any_query), "sql", "discrimination"),
        "last_select": Case(_planted(last_select), "sql", "invariance"),
        "same_number_of_rows": Case(_planted(same_number_of_rows), "sql", "hack_panel"),
        "sees_no_condition": Case(_planted(sees_no_condition), "sql", "discrimination"),
        "loose_json": Case(_planted(loose_json), "json", "discrimination"),
        "same_tables": Case(_planted(same_tables), "sql", "discrimination"),
        "says_something": Case(_planted(says_something), "constraints", "discrimination"),
        "source_friendly": Case(_planted(source_friendly, "quality"), "translation", "hack_panel"),
        "whole_successes_only": Case(_planted(whole_successes_only, "quality"), "translation", "discrimination"),
        "whole_successes_only_unspaced": Case(
            _planted(whole_successes_only, "quality"), "translation_to_chinese", "discrimination"
        ),
        "best_line": Case(_planted(best_line, "quality"), "translation", "hack_panel"),
        "best_line_of_summaries": Case(_planted(best_line, "quality"), "summary", "hack_panel"),
        "signless_program": Case(_planted(signless_program), "code_tests", "oracle"),
        "wrong_length": Case(lambda: Short("wrong_length", exact), "number", "sanity"),
        "wrong_type": Case(lambda: Floats("wrong_type", exact), "number", "sanity"),
    }
