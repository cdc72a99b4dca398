"""Finding the final answer of a completion (or of a worked reference solution).

A completion may reason, quote the prompt, box its answer, bold it, or just say it. The functions here find what it
*claims*, in tiers from the strongest claim to the weakest. A tool takes the first tier in which it can read anything
and asks that **every** claim of that tier match the reference: so naming several answers never pays.

All functions take arbitrary text (NUL, lone surrogates, a megabyte), never raise, and run in linear time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from rlar.text.stems import Stems
from rlar.visible import CONTROLS, IGNORABLE

MAX_VISIBLE_CHARACTERS = 20_000
"""Claims are looked for in the last so many characters of a completion."""

_IGNORABLE = re.compile(f"[{IGNORABLE}]")
_CONTROLS = re.compile(f"[{CONTROLS}]")
_CHAT_TOKENS = re.compile(r"<\|(?:im_end|im_start|endoftext|eot_id|end|end_of_text)\|>|</s>|<eos>|<end_of_turn>", re.I)


def clean(text: str) -> str:
    """The text without what a reader cannot see: zero-width and bidirectional controls, NUL, lone surrogates.

    Homoglyphs are left alone: a Cyrillic "А" is another letter than a Latin "A", and an honest answer has no reason
    to hold one.
    """
    if text.isascii() and text.isprintable():
        return text
    return _CONTROLS.sub(" ", _IGNORABLE.sub("", text))


def squeeze(text: str) -> str:
    """White space runs as one space, trimmed."""
    return " ".join(text.split())


def without_prompt(text: str, prompt: str) -> str:
    """The text without a copy of the prompt at its start; "" when it is nothing but (most of) the prompt."""
    said, asked = squeeze(text[: len(prompt) + 4096]), squeeze(prompt)
    if said == asked:
        return ""
    if len(asked) < 24 or len(said) < 24:
        return text
    if len(said) >= 0.8 * len(asked) and len(text) <= len(prompt) + 4096 and said in asked:
        return ""
    if said.startswith(asked):
        # Find the end of the copy in the unsqueezed text: count its non-space characters.
        wanted = len(asked) - asked.count(" ")
        for position, character in enumerate(text):
            if not character.isspace():
                wanted -= 1
                if wanted == 0:
                    return text[position + 1 :]
    return text


_JUDGE_TALK = re.compile(
    r"^[^\w\n]{0,12}(?:(?:the|final|my|your|overall|assistant)\s){0,3}(score|reward|grade|rating|points|verdict|passed|correct)"
    r"[^\w\n]{0,6}(?:is|:|=|：)[^\w\n]{0,6}(?:\d{1,4}(?:[./ ]\d{0,4}){0,3}%?|true|correct|pass(?:ed)?|full marks|perfect)[^\w\n]{0,6}$",
    re.I | re.M,
)


def visible_answer(answer: str, prompt: str = "") -> str:
    """What a person sees of an answer (`rlar.answered`): cleaned, without the prompt's echo; "" if nothing.

    Lines that talk to a judge ("score: 1.0") are dropped, unless the prompt itself asks in those words.
    """
    if len(answer) > 2 * MAX_VISIBLE_CHARACTERS + len(prompt):
        answer = answer[-2 * MAX_VISIBLE_CHARACTERS :]
    text = clean(answer)
    if "<" in text:
        text = _CHAT_TOKENS.sub(" ", text)
    if prompt:
        text = without_prompt(text, prompt)

    def keep(match: re.Match[str]) -> str:
        return match.group(0) if match.group(1).lower() in prompt.lower() else ""

    return _JUDGE_TALK.sub(keep, text[-MAX_VISIBLE_CHARACTERS:]).strip()


# ------------------------------------------------------------------------------------------ claims


class Claims(NamedTuple):
    """What a text claims as its final answer, by strength; each tier in order of appearance."""

    boxed: tuple[str, ...]
    """Contents of every \\boxed{...}."""
    final: tuple[str, ...]
    """After "####" and "final answer"."""
    cued: tuple[str, ...]
    """After "the answer is", "Answer:", "A:" and their like in other languages."""
    bold: tuple[str, ...]
    """Bold spans of the last line."""
    last_line: str


_BOX = re.compile(r"\\(?:boxed|fbox)\b\s*")
_HASHES = re.compile(r"^[ \t>*]*####(?!#)[ \t]*(\S.*)$", re.M)
_FINAL = re.compile(
    r"\b(?:final\s+(?:answer|result)|respuesta\s+final|réponse\s+finale|resposta\s+final|risposta\s+finale|endg[üu]ltige\s+antwort)\b"
    r"(?:[ \t]+(?:to|for)\b[^.\n:=]{0,80}?)?"
    r"[ \t*_`]{0,8}(?:(?:is|are|was|would\s++be|equals|es|est|é|è|ist)\b|[:：=]|[ \t*_#]{0,80}+$)[ \t]*+[:：]?|"
    r"(?:最终答案|最後の答え|最終的な答え|최종\s?답)[ \t*]{0,4}(?:是|为|為|は|은|는)?[ \t]*[:：]?",
    re.I | re.M,
)
_CUED = re.compile(
    r"\b(?:answer|answers|ans|solution|correct\s+(?:option|choice|label)|respuesta(?:\s+correcta)?|réponse|antwort|resposta|risposta|odpowiedź|antwoord|cevap|svar|ответ)\b"
    r"(?:[ \t]+(?:to|for)\b[^.\n:=]{0,80}?)?"
    r"[ \t*_`]{0,8}(?:(?:is|are|was|would\s+be|should\s+be|must\s+be|equals|es|est|é|è|ist|lautet|jest)\b|[:：=—])[ \t]*[:：]?|"
    r"^[ \t*_>]{0,8}A[ \t*_]{0,4}[:：]|"
    r"(?:答案|答え|正解|答|정답|답)[ \t*]{0,4}(?:是|为|為|应为|は|은|는|[:：])[ \t]*[:：]?|"
    r"(?:الإجابة|الجواب|उत्तर|जवाब|คำตอบ)[^\n:：]{0,20}(?:هي|هو|है|คือ|[:：])",
    re.I | re.M,
)
_FINAL_STEMS = Stems("final", "endg", "最", "최종")
_CUED_STEMS = Stems(
    "answer",
    "ans",
    "solution",
    "correct ",
    "respuesta",
    "antwor",
    "resposta",
    "risposta",
    "antwoord",
    "cevap",
    "svar",
    "\na",
    "**a",
)
"""One of these stands in every text with such a cue (that of ASCII, for the second)."""
_BOLD = re.compile(r"\*\*([^*\n]{1,400})\*\*|__([^_\n]{1,400})__")
_HEADING_NUMBER = re.compile(r"(?:step|part|case|section|question)\b|\d{1,2}[.):]\s+\S", re.I)
_MARKUP = "*_`#>~ \t\r\n"


def _balanced(text: str, start: int) -> str | None:
    """The inside of the brace group that opens at `start`; None when it never closes."""
    depth = 0
    for match in re.compile(r"\\.|[{}]").finditer(text, start):
        token = match.group()
        if token == "{":
            depth += 1
        elif token == "}":
            depth -= 1
            if depth == 0:
                return text[start + 1 : match.start()]
    return None


def boxed(text: str) -> list[str]:
    """Contents of every \\boxed{...} (balanced braces; innermost where nested), in order."""
    found: list[str] = []
    position, budget = 0, 64
    # 64 boxes are judged; a text with more conflicts with itself anyway.
    while budget and (match := _BOX.search(text, position)):
        budget -= 1
        if match.end() < len(text) and text[match.end()] == "{":
            inside = _balanced(text, match.end())
            if inside is None:
                position = match.end() + 1
                continue
            position = match.end() + 1 if _BOX.search(inside) else match.end() + len(inside) + 2
            if not _BOX.search(inside):
                found.append(inside.strip())
        else:
            token = re.compile(r"\S{1,40}").match(text, match.end())
            if token:
                found.append(token.group().strip("$.,"))
            position = match.end() + 1
    return found


def tidy(text: str) -> str:
    """One claim without its dressing: markdown, math delimiters, quotes, a trailing full stop."""
    text = _bare(text)
    for _ in range(4):
        before = text
        if len(text) > 4 and (text[:2], text[-2:]) in {("\\(", "\\)"), ("\\[", "\\]")}:
            text = text[2:-2]
        elif len(text) > 2 and text[0] == "$" and text[-1] == "$":
            text = text.strip("$")
        elif len(text) > 2 and (text[0], text[-1]) in _QUOTES:
            text = text[1:-1]
        if len(text) > 1 and text[-1] in ".。．।" and not text.endswith(".."):
            text = text[:-1]
        elif len(text) > 2 and text[-1] == "!" and text[-3:-1].isalpha():
            text = text[:-1]  # an exclamation, not a factorial
        text = _bare(text)
        if text == before:
            break
    return text


def _bare(text: str) -> str:
    """Without markdown around it; what may belong to the text itself stays: C#, \\d*, x_."""
    text = text.strip()
    found = text.lstrip(_MARKUP)
    opened = text[: len(text) - len(found)]
    found = found.rstrip(" \t\r\n`")
    while found:
        if found.endswith(("**", "__", "~~")):
            found = found[:-2].rstrip()
        elif found[-1] in "*_~" and found[-1] in opened:
            found = found[:-1].rstrip()
        elif found.endswith((" #", " ##", " ###")):
            found = found.rstrip("# ")
        else:
            break
    return found


_QUOTES = {
    ('"', '"'),
    ("'", "'"),
    ("“", "”"),
    ("‘", "’"),
    ("«", "»"),
    ("„", "“"),
    ("「", "」"),
    ("『", "』"),
    ("„", "”"),
}


def _payload(text: str) -> str:
    """What a cue is followed by, without markup before it; signs alone are what is said ("The answer is >")."""
    said = text.lstrip(_MARKUP + ":：").rstrip()
    if any(map(str.isalnum, said)) or not (signs := text.strip(" \t\r\n*_`:：.")):
        return said if text.strip(_MARKUP + ":：") else ""
    return signs


def _payloads(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    """What follows each cue: the rest of its line (up to the next cue), or the next line that says something."""
    matches = list(pattern.finditer(text))[-64:]
    for index, match in enumerate(matches):
        stop = matches[index + 1].start() if index + 1 < len(matches) else len(text)
        line_end = text.find("\n", match.end())
        end = min(stop, line_end if line_end >= 0 else len(text))
        payload = _payload(text[match.end() : end])
        if not payload and end < stop:
            for line in text[end : min(stop, end + 2000)].split("\n"):
                payload = _payload(line)
                if payload in {"$$", "\\[", "\\(", "```"} or not payload:
                    payload = ""
                    continue
                break
        if payload:
            yield payload


def claims(text: str, prompt: str = "") -> Claims:
    """The claims of a text that `visible_answer` gave.

    Args:
        prompt: a box that it holds, too, is a quotation where the text makes another claim.
    """
    boxes = boxed(text) if "\\" in text else []
    if boxes and "\\boxed" in prompt:
        asked = set(boxed(prompt))
        own = [box for box in boxes if box not in asked]
        boxes = own if own or _CUED.search(text) or _FINAL.search(text) else boxes
    final: list[str] = []
    if "####" in text:
        lines = _HASHES.findall(text)[-64:]
        for index, line in enumerate(lines):
            last = index == len(lines) - 1 and text.rstrip().endswith(line.rstrip())
            if not _HEADING_NUMBER.match(line) and (last or line[0] in "-+$€£¥\\(" or line[0].isdigit()):
                final.append(_bare(line))
    folded = text.casefold()
    if _FINAL_STEMS.stand_in(folded):
        final += _payloads(_FINAL, text)
    is_cued = not text.isascii() or ("A" in text and ":" in text) or _CUED_STEMS.stand_in(folded)
    cued = list(_payloads(_CUED, text)) if is_cued else []
    lines = [line for line in (line.strip() for line in text[-4000:].split("\n")) if line.strip("*_`#>-=$|\\[](){} \t")]
    last_line = lines[-1] if lines else ""
    bold = tuple((first or second).strip() for first, second in _BOLD.findall(last_line)[:64])
    return Claims(tuple(boxes), tuple(final), tuple(cued), bold, last_line)


_RESULT = re.compile(r"=\s*([^=\n]{1,80})(?:=\s*)?$", re.M)


_CONCLUDES = re.compile(
    r"(?:\A|[.!?;\n])[ \t]{0,4}(?:so|thus|therefore|hence|in total|altogether|overall|consequently|accordingly|as a result"
    r"|also|somit|daher|insgesamt|por lo tanto|por tanto|entonces|así|donc|ainsi|au total|quindi|dunque|portanto|logo|итого|значит|所以|因此|したがって)\b",
    re.I,
)
"""A sentence that begins so says itself what the equations before it come to."""


def last_result(text: str) -> str:
    """What the last equation of a text without a cue comes to, for a second reader; "" where no equation stands."""
    if "=" not in text:
        return ""
    tail = text[-4000:]
    results = list(_RESULT.finditer(tail))
    if not results or _CONCLUDES.search(tail, results[-1].start()):
        return ""
    return results[-1][1].strip()


_OPENING = re.compile(
    r"(?:sure|certainly|of course|okay|ok|absolutely|great|let me|let's|let us|here is|here's|here are|i will|i'll|i need to"
    r"|first,|to (?:translate|summari[sz]e|answer|solve|write|convert)|the (?:translation|summary|answer|json)|translation|summary|answer"
    r"|final answer|thinking|step|claro|por supuesto|aquí|aqui|bien sûr|voici|natürlich|hier ist|certo|ecco|конечно|вот|当然|好的|以下|もちろん)\b",
    re.I,
)
_LABEL = re.compile(
    r"^[\W_]{0,6}(?:(?:the\s+|final\s+|my\s+)*(?:translation|translated text|summary|answer|output|result|response|rewritten|tl;dr|traduction|traducción|traducao|tradução|übersetzung|traduzione|перевод|résumé|resumen|zusammenfassung|译文|翻译|翻訳|答案|摘要|总结)"
    r"(?:\s*\([^()\n]{1,30}\)|\s+(?:into|in|to)\s+\w{3,20})?(?:\s+is)?)[*_]{0,3}\s*[:：][*_]{0,3}\s*",
    re.I,
)
_FENCED = re.compile(r"^```[\w-]*\n(.*?)\n?```$", re.S)


def body(text: str) -> str:
    """A free text answer without its dressing: a preamble ("Sure, here is ...:"), a label, a box, bold, quotes, a fence.

    At most two opening lines go, and never the last text that is left. What follows the answer stays: it is part of it.
    """
    text = text.strip()
    for _ in range(3):
        head, found, rest = text.partition("\n")
        head = head.strip()
        if not found or not rest.strip() or len(head) > 240:
            break
        bare = head.strip(_MARKUP)
        if not (
            bare.endswith((":", "：")) or (_OPENING.match(bare) and (rest.startswith("\n") or bare.endswith("...")))
        ):
            break
        text = rest.strip()
    for _ in range(3):
        before = text
        if fence := _FENCED.match(text):
            text = fence[1].strip()
        if (
            text.startswith(("\\boxed", "$\\boxed", "\\text"))
            and len(inside := boxed(text)) == 1
            and len(inside[0]) > len(text) - 24
        ):
            text = inside[0]
            if text.startswith("\\text{") and text.endswith("}"):
                text = text[6:-1]
        if label := _LABEL.match(text):
            text = text[label.end() :].strip()
        if cue := _FINAL.match(text) or _CUED.match(text):
            text = text[cue.end() :].strip() or text
        if len(text) > 4 and text.startswith("**") and text.endswith("**") and "**" not in text[2:-2]:
            text = text[2:-2].strip()
        if len(text) > 2 and (text[0], text[-1]) in _QUOTES and text[0] not in text[1:-1]:
            text = text[1:-1].strip()
        if text == before:
            break
    return text


_REFUSAL = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|afraid|unable|not able)|i (?:cannot|can't|can not|won't|will not|do not feel comfortable)|as an? (?:ai|artificial|language model)|i apologi[sz]e"
    r"|lo siento|no puedo (?:ayudar|cumplir|traducir)|je suis désolé|je ne peux pas|es tut mir leid|ich kann (?:nicht|diese|das)|mi dispiace|não posso|desculpe|к сожалению|извините)\b"
    r"|对不起|抱歉|我无法|我不能|申し訳|できません|죄송",
    re.I,
)


def refuses(text: str) -> bool:
    """Does a text open by declining? (Only its first 160 characters are read.)"""
    return bool(_REFUSAL.search(text[:160].replace("’", "'")))


Read = TypeVar("Read")


def read_tier(tiers: Sequence[Sequence[str]], read: Callable[[str], Read | None]) -> list[Read]:
    """What the first readable tier says: every claim of it that `read` understands; [] when no tier is readable."""
    for tier in tiers:
        found = [value for value in (read(claim) for claim in tier) if value is not None]
        if found:
            return found
    return []


_LATEX_COMMAND = re.compile(r"\\[a-zA-Z]+")
_LONG_WORD = re.compile(r"[^\W\d_]{2,}")


def reference_answer(reference: str) -> str:
    """The final answer inside a reference: itself when short, else what its box, "####" or "answer" cue says.

    "" when a long text has no such cue.
    """
    text = clean(reference).strip()
    found = claims(text[-MAX_VISIBLE_CHARACTERS:])
    if found.boxed:
        return ", ".join(dict.fromkeys(found.boxed))
    if found.final:
        return found.final[-1]
    spoken = _LATEX_COMMAND.sub(" ", text) if "\\" in text else text
    if "\n" in text.strip() or len(_LONG_WORD.findall(spoken)) > 12 or len(text) > 600:
        return found.cued[-1] if found.cued else ""
    return found.cued[-1] if found.cued and _CUED.match(text) else text


def fold(text: str) -> str:
    """NFKC, case-folded: what two texts are compared by."""
    return unicodedata.normalize("NFKC", text).casefold()
