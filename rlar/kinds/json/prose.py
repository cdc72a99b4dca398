"""What a prompt asks of a document beyond its schema, as far as words tell: such a rule is known not to be read.

A schema holds types and ranges; "the total is the sum of the items" stands beside it in prose. Sentences that only say how to
answer ("Reply with JSON that follows this schema and nothing else.") are no rules. The rest is taken apart by the reader of
instructions: a clause that binds or compares is a rule; a story told in the prompt may have one too, and then nothing is
lost but the row.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache

from rlar.kinds.constraints.read.coverage import binding_clauses

MAX_PROSE = 20_000

_TAG = re.compile(r"</?[A-Za-z_][\w-]{0,40}>")
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
    return binding_clauses(_TAG.sub("\n", _without_json(prompt[:MAX_PROSE])), _FORMAL)


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
