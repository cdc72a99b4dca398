"""The algebra of JSON answers: what leaves a document or a call the same, what does not, and what is not judged."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rlar.kinds.json.prose import rules_beside
from rlar.kinds.json.verify import found_values, normal, same
from rlar.text.answers import clean
from tests.fakes.examples import examples

ROME = {"name": "forecast", "arguments": {"city": "Rome", "days": 3}}
OSLO = {"name": "forecast", "arguments": {"city": "Oslo", "days": 3}}
SCHEMA = {
    "type": "object",
    "properties": {"items": {"type": "array", "items": {"type": "number"}}, "total": {"type": "number"}},
    "required": ["items", "total"],
}

PRINTABLE = st.characters(exclude_categories=("C", "Z"), exclude_characters="`~")
LEAVES = (
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(PRINTABLE, max_size=6) | st.floats(-1e9, 1e9)
)
DOCUMENTS: st.SearchStrategy[Any] = st.dictionaries(
    st.text(PRINTABLE, min_size=1, max_size=5),
    st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(PRINTABLE, max_size=4), inner, max_size=3),
        max_leaves=6,
    ),
    min_size=1,
    max_size=4,
)


def shuffled(value: Any) -> Any:
    """The same document with its members turned round, and whole numbers as floats."""
    if isinstance(value, dict):
        return {key: shuffled(one) for key, one in reversed(list(value.items()))}
    if isinstance(value, list):
        return [shuffled(one) for one in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53 else value


WRAPPERS = [
    "$", "```json\n$\n```", "```\n$\n```", "~~~json\n$\n~~~", "```JSON $ ```", "Sure! Here it is:\n$\nDoes it help?",
    'It has the form {"key": ..., "more": {"x": 1}}.\n\n```json\r\n$\r\n```', "$\n\n$",
]  # fmt: skip


@settings(max_examples=examples(150), deadline=None)
@given(value=DOCUMENTS, wrapper=st.sampled_from(WRAPPERS), indent=st.sampled_from([None, 2]), ascii_only=st.booleans())
def test_the_dress_of_a_document_does_not_matter(
    value: Any, wrapper: str, indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(shuffled(value), indent=indent, ensure_ascii=ascii_only)
    said = json.dumps(value, ensure_ascii=False)
    assume("```" not in text and "~~~" not in text and said.isprintable() and clean(said) == said)
    found = [normal(one) for one in found_values(wrapper.replace("$", text))]
    assert found and all(same(one, normal(value)) for one in found)


@settings(max_examples=examples(150), deadline=None)
@given(value=DOCUMENTS, data=st.data())
def test_a_changed_leaf_is_another_document(value: Any, data: st.DataObject) -> None:
    changed = copy.deepcopy(value)
    key = data.draw(st.sampled_from(sorted(changed)))
    changed[key] = data.draw(st.sampled_from([["other"], {"other": 1}, "something else", 10**21, not changed[key]]))
    if same(normal(changed[key]), normal(value[key])):
        return
    assert not same(normal(changed), normal(value))


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("5", "5.0", True),
        ("0.3", "0.30000000000000004", True),
        ("1e3", "1000", True),
        ("100000000000000000000", "1e20", True),
        ("9007199254740993", "9007199254740992", False),
        ("17", "17.0001", False),
        ("1", "true", False),
        ("5", '"5"', False),
        ('"M\\u00fcnchen"', '"München"', True),
        ('"york"', '"York"', False),
        ("[1, 2]", "[2, 1]", False),
    ],
)
def test_values_are_compared_as_json(scored, one: str, other: str, is_same: bool):
    score = scored("json_output", f'{{"a": {other}}}', f'{{"a": {one}}}')
    assert (score.value == 1.0) is is_same and score.status == "ok"


@pytest.mark.parametrize(
    "broken", ['{"a": 1,}', '{"a": NaN}', '{"a": 1e999}', '{"a": 1 // one\n}', "{'a': 1}", '{"a": 1, "a": 2}']
)
def test_what_is_no_json_is_wrong(scored, broken: str):
    assert scored("json_output", broken, '{"a": 1}').value == 0.0


def test_parallel_calls_of_one_function_come_in_any_order(scored):
    wanted = json.dumps([ROME, OSLO])
    assert scored("json_output", json.dumps([OSLO, ROME]), wanted).value == 1.0
    for wrong in ([ROME], [ROME, ROME], [ROME, OSLO, OSLO], [ROME, {**OSLO, "name": "climate"}]):
        assert scored("json_output", json.dumps(wrong), wanted).value <= 0.4
    steps = [{"name": "make_folder", "arguments": {"path": "x"}}, {"name": "move", "arguments": {"to": "x"}}]
    assert scored("json_output", json.dumps(steps[::-1]), json.dumps(steps)).status == "abstain"
    assert scored("json_output", f"{json.dumps(ROME)}\n{json.dumps(OSLO)}", wanted).status == "abstain"
    assert (
        scored("json_output", '[{"b": {"x": 1}}, {"a": {"x": 1}}]', '[{"a": {"x": 1}}, {"b": {"x": 1}}]').value != 1.0
    )


def test_a_declared_default_may_be_left_out_or_said(scored):
    prompt = (
        'Call the function.\n{"name": "forecast", "parameters": {"type": "object", "properties": {"city": {"type": "string"},'
        ' "unit": {"type": "string", "default": "C"}}}}\nThe weather in Rome?'
    )
    short, full = (
        '{"name": "forecast", "arguments": {"city": "Rome"}}',
        '{"name": "forecast", "arguments": {"city": "Rome", "unit": "C"}}',
    )
    assert scored("json_output", full, short, prompt=prompt).value == 1.0
    assert scored("json_output", short, full, prompt=prompt).value == 1.0
    assert scored("json_output", full.replace('"C"', '"F"'), short, prompt=prompt).value <= 0.4
    assert scored("json_output", full, short).value <= 0.4


def test_a_reference_may_list_the_values_of_arguments(scored):
    listed = '[{"area": {"base": [10], "height": [5, 5.5], "unit": ["m", ""]}}]'
    for right in (
        '{"name": "area", "arguments": {"base": 10, "height": 5}}',
        '[{"area": {"base": 10, "height": 5.5, "unit": "m"}}]',
    ):
        assert scored("json_output", right, listed).value == 1.0
    for wrong in (
        '[{"area": {"base": 10, "height": 6}}]',
        '[{"area": {"base": 10}}]',
        '[{"area": {"base": 10, "height": 5, "x": 1}}]',
    ):
        assert scored("json_output", wrong, listed).value <= 0.4


def test_the_same_call_in_another_dress_gets_no_number(scored):
    as_text = {"name": "forecast", "arguments": json.dumps(ROME["arguments"])}
    assert scored("json_output", json.dumps(as_text), json.dumps(ROME)).status == "abstain"
    assert scored("json_output", json.dumps([ROME]), json.dumps(ROME)).status == "abstain"
    assert scored("json_output", '{"a": 1, "b": null}', '{"a": 1}').status == "abstain"


def test_a_copy_of_the_prompts_json_is_no_second_answer(scored):
    prompt = 'Example: {"city": "Paris"}. Where is the Colosseum?'
    both = 'As in {"city": "Paris"}, the answer is {"city": "Rome"}'
    assert scored("json_output", both, '{"city": "Rome"}', prompt=prompt).value == 1.0
    assert scored("json_output", both, '{"city": "Rome"}').value == 0.0
    assert scored("json_output", '{"city": "Paris"}', '{"city": "Rome"}', prompt=prompt).value == 0.0


RULES = [
    "The total must equal the sum of the items.",
    "List exactly two items.",
    "Sorted from low to high, items never repeat.",
    "All items are below 50 unless the total is zero.",
    "Die Summe muss den Posten entsprechen.",
    "El total debe ser la suma.",
    "Le total doit être la somme.",
    "总和必须等于各项之和。",
]
FORMAL = [
    "Reply with JSON that follows this schema and nothing else.",
    "Answer with a single valid JSON object matching the schema below. Do not include any explanation or markdown.",
    "You are a helpful assistant that answers in JSON. Here's the JSON schema you must adhere to:",
    "Output only JSON.",
]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("before", [True, False])
def test_a_rule_beside_the_schema_is_known_not_to_be_read(scored, rule: str, before: bool):
    schema = json.dumps(SCHEMA)
    prompt = f"{rule}\nReply with JSON: {schema}" if before else f"Reply with JSON that follows {schema}\n{rule}"
    valid, invalid = '{"items": [1, 2], "total": 9}', '{"items": 3}'
    assert scored("json_output", valid, prompt=prompt, schema=SCHEMA).status == "abstain"
    assert scored("json_output", invalid, prompt=prompt, schema=SCHEMA).value <= 0.4


@pytest.mark.parametrize("formal", FORMAL)
def test_sentences_about_the_form_are_no_rules(scored, formal: str):
    prompt = f"{formal}\n<schema>\n{json.dumps(SCHEMA, indent=2)}\n</schema>\n\nAn order by Kim, please."
    assert rules_beside(prompt) == ()
    assert scored("json_output", '{"items": [1, 2], "total": 3}', prompt=prompt, schema=SCHEMA).value == 1.0
