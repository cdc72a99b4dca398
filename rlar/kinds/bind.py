"""What this very row asks for, extracted once by parsers and handed to the tools as JSON."""

from __future__ import annotations

from rlar.kinds import KINDS
from rlar.kinds.carries import listed_labels
from rlar.kinds.facts import normal_label
from rlar.kinds.parsed import Parsed
from rlar.kinds.rule.wordings import slots
from rlar.kinds.translation.rows import split_instruction
from rlar.text.language import identify
from rlar.text.language_names import canonical_language
from rlar.tool import named
from rlar.types import Contract, Example, JsonObject


def bind(example: Example, contract: Contract, parsed: Parsed | None = None) -> JsonObject:
    """The binding of a row under a contract: JSON, the same for the same row in any process.

    Keys by kind: {"suite"} for code, {"constraints"}, {"sql"}, {"source", "source_language", "target_language"} for
    translation, {"options", "labels"} for choice, {"passage"}, {"schema"} for JSON, {"slots"} for what a prompt says
    in the gaps of its task's wording. A key whose content is not found
    in the row is left out; the tool then abstains.

    Args:
        parsed: the row's readings, for a caller who has them.
    """
    if parsed is None:
        parsed = Parsed(example)
    if not (address := KINDS[contract.answer_kind].bind):
        return {}
    bound: JsonObject = named(address)(parsed, contract)
    return bound


def suite(parsed: Parsed, contract: Contract) -> JsonObject:
    """The row's tests."""
    return {} if parsed.suite is None else {"suite": parsed.suite.to_binding()}


def constraints(parsed: Parsed, contract: Contract) -> JsonObject:
    """What the prompt demands."""
    return {"constraints": [constraint.model_dump(mode="json") for constraint in parsed.constraints]}


def sql(parsed: Parsed, contract: Contract) -> JsonObject:
    """The tables of a query."""
    return {} if parsed.sql is None else {"sql": parsed.sql.to_binding()}


def schema(parsed: Parsed, contract: Contract) -> JsonObject:
    """The schema of a document."""
    return {} if parsed.schema is None else {"schema": parsed.schema}


def gaps(parsed: Parsed, contract: Contract) -> JsonObject:
    """What the prompt says in the gaps of its task's wording."""
    fillings = (slots(wording, parsed.asked) for wording in sorted(contract.wordings, key=len, reverse=True))
    filled = next((each for each in fillings if each is not None), None)
    return {} if filled is None else {"slots": filled}


def passage(parsed: Parsed, contract: Contract) -> JsonObject:
    """The text to be read, where the task's rows carry one."""
    return {} if not contract.carries or parsed.asked_passage is None else {"passage": parsed.asked_passage}


def translation(parsed: Parsed, contract: Contract) -> JsonObject:
    """The text and the languages."""
    task = parsed.translation
    source = task.source if task else split_instruction(parsed.asked)[1]
    language = task.source_language if task else ""
    if not language and source:
        language = canonical_language(identify(source).code)
    binding: JsonObject = {"target_language": contract.target_language or (task.target_language if task else "")}
    if source:
        binding["source"] = source
    if language and language != binding["target_language"]:
        binding["source_language"] = language
    return binding


def choice(parsed: Parsed, contract: Contract) -> JsonObject:
    """The options, or the closed set of labels."""
    example = parsed.example
    if contract.labels:
        binding: JsonObject = {"labels": list(contract.labels)}
        named = listed_labels(example.text)
        if example.reference is not None and normal_label(example.reference) not in contract.labels:
            # A label too rare for the contract is still this row's answer.
            binding["labels"] = sorted({*contract.labels, normal_label(example.reference), *named[:20]})
        return binding
    options = parsed.options
    return {"options": options, "labels": list(options)} if options else {}
