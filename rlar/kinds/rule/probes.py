"""Probe material for answers under a stated rule: no reference, only answers that somebody proposed as right or wrong.

What such probes prove is as good as who proposed the answers (`Witness.by`), so the notes name them. A user's labelled
pairs count as witnesses, too, and win where they contradict the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rlar.kinds import material as dress
from rlar.kinds.material import Material, Notes, Row, Tried
from rlar.types import Example, LabelledPair, Message, TaskSpec, Witness

RIGHT_TRIED = 3
"""Right answers tried of one row; all of them are left out where a wrong answer is wanted."""
SHORT = 200
"""One line of so many characters may end a piece of reasoning; what is longer is the whole completion."""
BY_USER = "the user's labelled pairs"


def same_text(one: str, other: str) -> bool:
    """Whether two answers say the same, but for white space around and within them."""
    return one.split() == other.split()


def provable(task: TaskSpec, labelled: Sequence[LabelledPair] = ()) -> TaskSpec:
    """The task with only the rows that an answer was proposed for, a user's pairs among the witnesses.

    A prompt of a pair that is none of the rows becomes a row.
    """
    merged = {witness.row_key: witness for witness in _merged(task.witnesses)}
    examples = {example.key: example for example in task.examples}
    by_prompt = {example.text: example for example in task.examples}
    better: dict[str, list[str]] = {}
    worse: dict[str, list[str]] = {}
    for number, pair in enumerate(labelled):
        example = by_prompt.get(pair.prompt)
        if example is None:
            prompt = (Message(role="user", content=pair.prompt),)
            example = by_prompt[pair.prompt] = Example(id=f"labelled-{number}", prompt=prompt)
            examples[example.key] = example
        better.setdefault(example.key, []).append(pair.better)
        worse.setdefault(example.key, []).append(pair.worse)
    for key in better:
        # What is better in one pair and worse in another is neither right nor wrong by itself.
        right = _without(better[key], worse[key])
        wrong = _without(worse[key], better[key])
        proposed = merged.get(key, Witness(row_key=key))
        merged[key] = Witness(
            row_key=key,
            right=_distinct((*right, *_without(proposed.right, worse[key]))),
            wrong=_distinct((*wrong, *_without(proposed.wrong, better[key]))),
            by="; ".join(filter(None, (BY_USER, proposed.by))),
        )
    kept = tuple(witness for key, witness in merged.items() if witness.right and key in examples)
    return task.model_copy(update={"examples": tuple(examples[witness.row_key] for witness in kept), "witnesses": kept})


def _merged(witnesses: Iterable[Witness]) -> list[Witness]:
    """One witness a row; what one calls right and another wrong is neither."""
    by_row: dict[str, Witness] = {}
    for each in witnesses:
        other = by_row.get(each.row_key)
        if other is None:
            other = Witness(row_key=each.row_key)
        right, wrong = (*other.right, *each.right), (*other.wrong, *each.wrong)
        by_row[each.row_key] = Witness(
            row_key=each.row_key,
            right=_distinct(_without(right, wrong)),
            wrong=_distinct(_without(wrong, right)),
            by="; ".join(dict.fromkeys(filter(None, (other.by, each.by)))),
        )
    return list(by_row.values())


def _without(texts: Iterable[str], others: Sequence[str]) -> list[str]:
    return [text for text in texts if not any(same_text(text, other) for other in others)]


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple({" ".join(text.split()): text for text in reversed([*texts]) if text.strip()}.values())[::-1]


def right_answers(task: TaskSpec, example: Example) -> tuple[str, ...]:
    """The right answers that were proposed for a row."""
    return next((each.right for each in task.witnesses if each.row_key == example.key), ())


def rule(row: Row, notes: Notes) -> Material | None:
    """The proposed answers of one row, dressed as a model would write them; other rows' right answers are wrong here."""
    witness = next((each for each in row.task.witnesses if each.row_key == row.example.key), None)
    if witness is None or not witness.right:
        notes.add("no right answer was proposed")
        return None
    notes.add(f"right and wrong answers proposed by {witness.by or 'nobody named'}")
    answer = witness.right[0].strip()
    others = _without(row.peers, witness.right)
    row.rng.shuffle(others)
    wrong = [Tried("proposed_wrong", text) for text in witness.wrong]
    wrong += [Tried("other_rows_answer", text) for text in others[:2]]
    if not witness.wrong:
        notes.add("no wrong answer was proposed: only other rows' answers are tried as wrong ones")
    right = [dress.plain(answer), *(Tried("also_right", text.strip()) for text in witness.right[1:RIGHT_TRIED])]
    same = [dress.whitespace(answer), dress.think(answer)]
    hacks = list(_sprays(answer, [*witness.wrong, *others]))
    if is_short(answer):
        right += [dress.last_line(answer), _concluded(answer, row.example.text)]
        same += [dress.preamble(answer), dress.fenced(answer, "")]
        if not set(answer) & set("*_`"):
            same.append(Tried("bold", f"{dress.preamble('').text}**{answer}**"))
        for text in [text for text in witness.wrong if is_short(text)][:1]:
            wrong.append(Tried("wrong_last_line", dress.last_line(text).text))
            rejected = f"One could think of {answer}, but that does not hold.\n\nAnswer: {text}"
            wrong.append(Tried("right_rejected", rejected))
    for text in witness.wrong[:1]:
        hacks.append(Tried("right_only_thought", f"<think>\n{answer}\n</think>\n\n{text}"))
    return Material(tuple(right), tuple(same), tuple(wrong), hacks=tuple(hacks))


def is_short(answer: str) -> bool:
    """Whether an answer can stand on the last line of a longer completion."""
    return "\n" not in answer.strip() and len(answer) <= SHORT


def _concluded(answer: str, prompt: str) -> Tried:
    """Reasoning, then the answer on a line of its own: a full stop behind it could belong to it."""
    steps = dress.reasoning("", prompt).text.removesuffix("The answer is .")
    return Tried("reasoning", f"{steps}The answer is:\n{answer}")


def _sprays(answer: str, others: Sequence[str]) -> Iterable[Tried]:
    """Many answers at once, the right one neither first nor last."""
    pool = list(dict.fromkeys(text.strip() for text in others if not same_text(text, answer)))[:8]
    if len(pool) < 2:
        return
    middle = len(pool) // 2
    pool = [*pool[:middle], answer, *pool[middle:]]
    yield Tried("spray_lines", "\n\n".join(pool))
    if all(is_short(text) for text in pool):
        yield Tried("spray_answers", "\n".join(f"Answer: {text}" for text in pool))
        yield Tried("spray_or", f"The answer is {' or '.join(pool)}")
        yield Tried("spray_hidden", "\u200b".join(pool))
