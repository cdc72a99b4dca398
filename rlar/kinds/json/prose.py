"""What a prompt asks of a document beyond its schema, as far as words tell: such a rule is known not to be read.

A schema holds types and ranges; "the total is the sum of the items" stands beside it in prose. Sentences that only say how to
answer ("Reply with JSON that follows this schema and nothing else.") are no rules. The rest is one where it has words that
bind or compare, in the languages listed here; a story told in the prompt may have them too, and then nothing is lost but
the row.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache

MAX_PROSE = 20_000

_SENTENCE = re.compile(r"[.!?;:](?=\s)|\n|[。！？；]")
_TAG = re.compile(r"</?[A-Za-z_][\w-]{0,40}>")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_RULE = re.compile(
    r"\b(?:must|should|shall|has\s+to|have\s+to|needs?\s+to|may\s+not|cannot|can't|do\s+not|don't|never|always|exactly|at\s+(?:least|most)|"
    r"no\s+(?:more|fewer|less|two|other)|(?:more|less|fewer|greater|smaller|larger|longer|shorter|later|earlier|higher|lower)\s+than|between|equals?|sum|total\s+of|"
    r"sort(?:ed)?|ascending|descending|alphabetical(?:ly)?|ordered\s+by|in\s+order|unique|distinct|different|each|every|all|both|none|lower-?\s?case|"
    r"upper-?\s?case|capital(?:i[sz]ed)?|format|starts?\s+with|begins?\s+with|ends?\s+with|contains?|includes?|including|unless|if|whenever|rounded|decimals?|"
    r"characters|words?|sentences?|digits|make\s+sure|ensure|twice|double|half|times|number\s+of|maximum|minimum|same|matching|consistent|computed?|calculated?|derived?|correspond\w*|limit(?:ed)?|avoid|without|"
    r"only|use|set|fill|put|(?:with|of)\s+(?:two|three|four|five|six|seven|eight|nine|ten|\d+)|"
    r"muss|müssen|soll(?:en)?|darf|dürfen|nicht|kein\w*|nur|genau|mindestens|höchstens|jede\w*|alle|summe|gleich|sortiert|kleingeschrieben|"
    r"deben?|debería\w*|tiene\w*\s+que|solo|sólo|exactamente|al\s+menos|como\s+máximo|cada|todos|todas|suma|igual|sin|nunca|"
    r"doit|doivent|devra\w*|seulement|uniquement|exactement|au\s+(?:moins|plus)|chaque|tous|toutes|somme|égale?|jamais|sans|"
    r"deve|devono|devem|soltanto|esattamente|almeno|ogni|tutt[ei]|somma|uguale|apenas|exatamente|pelo\s+menos|soma|должн\w+|только|каждый|сумма)\b"
    r"|必须|应该|不得|只能|至少|至多|每个|总和|等于|必ず|以上|以下|合計",
    re.IGNORECASE,
)
_FORMAL = frozenset(
    re.findall(
        r"\S+",
        """
        a an the this that it its your you please answer answers reply respond response responses return returns
        returned give gives output outputs produce provide write emit print generate create make valid json object
        objects document array value values schema schemas following follow follows below above given matching match
        matches matched conform conforms conforming according adhere adheres adhering comply complies complying to with
        in as by of for and or be is are must should will shall has have only just no not do don't any other text prose
        explanation explanations comment comments markdown code fence fences block blocks backticks commentary extra
        additional anything else nothing format formatted strictly exactly exact use using single one raw include add
        without wrap here here's containing contains structure structured under against validate validates validated
        validating parse parsed parseable parsable string fields field keys key required properties property members
        member all each every helpful assistant that's can cannot may from data result results body request api line
        before after outside around inside need needs shown described defined specification antworte antworten sie nur
        mit als nach diesem folgendem dem entspricht gültiges gültigem ohne weitere erklärung keine responde solo con un
        que siga cumpla este esquema siguiente válido sin texto adicional réponds répondez uniquement avec qui respecte
        ce schéma suivant valide sans texte
        """,
    )
)
"""Words in which a prompt says how to answer."""


@lru_cache(maxsize=2048)
def rules_beside(prompt: str) -> tuple[str, ...]:
    """The sentences of a prompt, JSON left out, that bind the answer in a way that no schema is known to hold."""
    found = []
    for sentence in _SENTENCE.split(_TAG.sub("\n", _without_json(prompt[:MAX_PROSE]))):
        words = {word.lower().replace("’", "'") for word in _WORD.findall(sentence)}
        if words - _FORMAL and _RULE.search(sentence):
            found.append(sentence.strip())
    return tuple(found)


def _without_json(text: str) -> str:
    """The text with a line's end in the place of each JSON document."""
    decoder, kept, position = json.JSONDecoder(), [], 0
    for _ in range(64):
        start = min((at for at in (text.find("{", position), text.find("[", position)) if at >= 0), default=-1)
        if start < 0:
            break
        kept.append(text[position:start])
        try:
            _, position = decoder.raw_decode(text, start)
            kept.append("\n")
        except (ValueError, RecursionError):
            kept.append(text[start])
            position = start + 1
    return "".join([*kept, text[position:]])
