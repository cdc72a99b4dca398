"""Answer formats: the sentence that tells a policy how to end, and the strict reader of what it then wrote.

Where the format is agreed on, no final answer has to be looked for in free text: what is not in the format is no answer.
The reader takes text from anybody, never raises and runs in linear time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, get_args

from rlar.answered import answered
from rlar.text.answers import boxed, squeeze
from rlar.text.language import identify
from rlar.types import AnswerFormat

LONGEST_BARE = 200
"""Characters of a bare answer; a longer one holds more than an answer."""
_ASKS: dict[AnswerFormat, dict[str, str]] = {
    "boxed": {
        "en": r"Put your final answer within \boxed{}.",
        "de": r"Setze deine endgültige Antwort in \boxed{}.",
        "es": r"Escribe tu respuesta final dentro de \boxed{}.",
        "fr": r"Mets ta réponse finale dans \boxed{}.",
        "it": r"Scrivi la risposta finale dentro \boxed{}.",
        "ja": r"最終的な答えを \boxed{} の中に書いてください。",
        "ko": r"최종 답을 \boxed{} 안에 써 주세요.",
        "pt": r"Escreva a resposta final dentro de \boxed{}.",
        "ru": r"Запишите окончательный ответ внутри \boxed{}.",
        "zh": r"请将最终答案写在 \boxed{} 中。",
    },
    "answer_line": {
        "en": 'End with a line that holds only your final answer, in the form "Answer: X".',
        "de": 'Schließe mit einer Zeile, die nur deine endgültige Antwort enthält, in der Form "Antwort: X".',
        "es": 'Termina con una línea que contenga solo tu respuesta final, con la forma "Respuesta: X".',
        "fr": 'Termine par une ligne qui ne contient que ta réponse finale, sous la forme "Réponse : X".',
        "it": 'Concludi con una riga che contenga solo la risposta finale, nella forma "Risposta: X".',
        "ja": "最後の行には最終的な答えだけを「答え：X」の形で書いてください。",
        "ko": '마지막 줄에는 최종 답만 "정답: X" 형식으로 써 주세요.',
        "pt": 'Termine com uma linha que contenha só a resposta final, na forma "Resposta: X".',
        "ru": "Закончите строкой, в которой есть только окончательный ответ, в виде «Ответ: X».",
        "zh": "最后一行只写最终答案，格式为“答案：X”。",
    },
    "answer_tags": {
        "en": "Put your final answer between <answer> and </answer>.",
        "de": "Setze deine endgültige Antwort zwischen <answer> und </answer>.",
        "es": "Escribe tu respuesta final entre <answer> y </answer>.",
        "fr": "Mets ta réponse finale entre <answer> et </answer>.",
        "it": "Scrivi la risposta finale tra <answer> e </answer>.",
        "ja": "最終的な答えを <answer> と </answer> の間に書いてください。",
        "ko": "최종 답을 <answer> 와 </answer> 사이에 써 주세요.",
        "pt": "Escreva a resposta final entre <answer> e </answer>.",
        "ru": "Запишите окончательный ответ между <answer> и </answer>.",
        "zh": "请将最终答案写在 <answer> 和 </answer> 之间。",
    },
    "fenced": {
        "en": "Give your final answer in a single fenced code block (```).",
        "de": "Gib deine endgültige Antwort in einem einzigen Codeblock (```).",
        "es": "Da tu respuesta final en un único bloque de código (```).",
        "fr": "Donne ta réponse finale dans un seul bloc de code (```).",
        "it": "Dai la risposta finale in un unico blocco di codice (```).",
        "ja": "最終的な答えを一つのコードブロック（```）に書いてください。",
        "ko": "최종 답을 하나의 코드 블록(```)에 써 주세요.",
        "pt": "Dê a resposta final em um único bloco de código (```).",
        "ru": "Дайте окончательный ответ в одном блоке кода (```).",
        "zh": "请将最终答案写在一个代码块（```）中。",
    },
    "bare": {
        "en": "Reply with the answer only, without any other words.",
        "de": "Antworte nur mit der Antwort, ohne weitere Worte.",
        "es": "Responde solo con la respuesta, sin ninguna otra palabra.",
        "fr": "Réponds uniquement par la réponse, sans aucun autre mot.",
        "it": "Rispondi solo con la risposta, senza altre parole.",
        "ja": "答えだけを書き、ほかの言葉は書かないでください。",
        "ko": "다른 말 없이 답만 써 주세요.",
        "pt": "Responda apenas com a resposta, sem nenhuma outra palavra.",
        "ru": "Ответьте только самим ответом, без других слов.",
        "zh": "只写答案，不要写其他内容。",
    },
}
_SENTENCES = tuple(f"\n\n{sentence}" for sentences in _ASKS.values() for sentence in sentences.values())
_CUE = re.compile(
    r"[*_#>\s]{0,8}(?:answer|antwort|respuesta|réponse|risposta|答え|정답|resposta|ответ|答案)[*_]{0,2}\s{0,2}[:：]",
    re.I,
)
_TAGGED = re.compile(r"<(/?)answer>", re.I)
_FENCE = re.compile(r"^[ \t]{0,3}(`{3,}|~{3,})([^`\n]{0,40})$", re.M)


class StrictReading(NamedTuple):
    """What a completion holds in an agreed format."""

    answer: str
    """As a tool is to see it: a box stays a box, everything else is bare; "" where there is none."""
    problem: str = ""
    """Why there is none; "" where there is one."""


def sentence_of(answer_format: AnswerFormat, prompt: str) -> str:
    """The sentence that asks for a format, in the prompt's language where we speak it, else in English."""
    sentences = _ASKS[answer_format]
    return sentences.get(identify(prompt).code, sentences["en"])


def with_sentence(prompt: str, answer_format: AnswerFormat) -> str:
    """The prompt with the sentence that asks for a format; as it is where it ends with one."""
    return prompt if without_sentence(prompt) != prompt else f"{prompt}\n\n{sentence_of(answer_format, prompt)}"


def without_sentence(prompt: str) -> str:
    """The prompt as it was before `with_sentence`."""
    for ending in _SENTENCES:
        if prompt.endswith(ending):
            return prompt[: -len(ending)]
    return prompt


def read_strictly(answer_format: AnswerFormat, completion: str) -> StrictReading:
    """The answer in its format. None (with the reason) for no answer, a thought that never ends, or several that differ.

    A format inside a thought is not read: what counts is what follows.
    """
    text, missing = answered(completion, "<answer>")  # a wrapper that the prompt names stays
    if missing:
        return StrictReading("", missing)
    answers = _READERS[answer_format](text)
    if len({squeeze(answer) for answer in answers}) > 1:
        return StrictReading("", f"{len(answers)} answers in the format {answer_format}")
    if not answers or not answers[-1].strip():
        return StrictReading("", f"no answer in the format {answer_format}")
    answer = answers[-1].strip()
    return StrictReading(f"\\boxed{{{answer}}}" if answer_format == "boxed" else answer)


def searched_share(completions: Sequence[str]) -> float | None:
    """Share of completions in no agreed format, in which an answer has to be looked for; None where there are none."""
    missed = sum(agreed_format(text) is None for text in completions)
    return round(missed / len(completions), 4) if completions else None


def agreed_format(completion: str) -> AnswerFormat | None:
    """The format in which a completion gives just one answer; None where it has to be looked for."""
    return next((name for name in get_args(AnswerFormat) if not read_strictly(name, completion).problem), None)


def _answer_line(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip()]
    cue = _CUE.match(lines[-1]) if lines else None
    return [] if cue is None else [lines[-1][cue.end() :].strip().strip("*_").strip()]


def _tagged(text: str) -> list[str]:
    answers, start = [], None
    for tag in _TAGGED.finditer(text):
        if not tag[1]:
            start = tag.end()
        elif start is not None:
            answers.append(text[start : tag.start()])
            start = None
    return answers if start is None else []


def _fenced(text: str) -> list[str]:
    answers: list[str] = []
    opening: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opening is None:
            opening = fence
        elif fence[1].startswith(opening[1]) and not fence[2].strip():
            answers.append(text[opening.end() : fence.start()])
            opening = None
    return answers if opening is None else []


def _bare(text: str) -> list[str]:
    answer = text.strip()
    return [answer] if len(answer) <= LONGEST_BARE and "\n" not in answer else []


_READERS = {"boxed": boxed, "answer_line": _answer_line, "answer_tags": _tagged, "fenced": _fenced, "bare": _bare}
