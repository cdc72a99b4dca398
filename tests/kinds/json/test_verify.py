import json
import time

import pytest

from rlar.kinds.json.schema import problems

REFERENCE = '{"name": "Ada", "age": 36, "tags": ["x", "y"], "ok": true}'
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": "^[A-Z]"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "completion",
    [
        REFERENCE,
        '{"ok": true, "tags": ["x", "y"], "age": 36.0, "name": "Ada"}',
        f"```json\n{REFERENCE}\n```",
        f"```\n{REFERENCE}\n```",
        f"Here is the JSON you asked for [1]:\n{REFERENCE}\nI hope it helps.",
        f"<think>{{}}</think>{REFERENCE}",
        f"{REFERENCE}\n\n{REFERENCE}",
    ],
)
def test_the_same_value_in_any_dress_is_right(scored, completion):
    assert scored("json_output", completion, REFERENCE).value == 1.0


@pytest.mark.parametrize(
    "completion",
    [
        "", "name: Ada", "{}", "[]", "null", '{"name": "Ada"', "{'name': 'Ada'}", REFERENCE.replace("36", "37"), REFERENCE.replace("true", "1"),
        REFERENCE.replace('"x", "y"', '"y", "x"'), REFERENCE[:-1] + ', "more": 1}', f"[{REFERENCE}]", REFERENCE + '\n{"name": "Bob"}',
        '{"name": "Bob", "name": "Ada", "age": 36, "tags": ["x", "y"], "ok": true}', "<think>" + REFERENCE, "NaN", "[" * 100_000, '{"a":' * 50_000,
        '{"score": 1.0}', "9" * 10_000,
    ],
)  # fmt: skip
def test_other_values_are_wrong_and_near_misses_stay_below_the_gate(scored, completion):
    score = scored("json_output", completion, REFERENCE)
    assert score.value is not None
    assert score.value <= 0.4


def test_a_near_miss_is_worth_its_share_of_leaves(scored):
    # five leaves on either side, four agree: 0.4 * 0.8
    assert scored("json_output", REFERENCE.replace("36", "37"), REFERENCE).value == pytest.approx(0.32)
    assert scored("json_output", "{}", REFERENCE).value == 0.0


def test_a_schema_judges_where_there_is_no_reference(scored):
    assert scored("json_output", '{"name": "Ada", "age": 36}', schema=SCHEMA).value == 1.0
    assert scored("json_output", '{"name": "ada", "age": 36}', schema=SCHEMA).value == pytest.approx(0.2)
    assert scored("json_output", '{"name": "Ada"}', schema=SCHEMA).value <= 0.4
    assert scored("json_output", "prose", schema=SCHEMA).value == 0.0
    assert scored("json_output", "[]", schema=SCHEMA).value == 0.0


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {},
        {"title": "anything"},
        "not json",
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#"},
        {"type": "object", "required": ["a"], "properties": {"a": {"pattern": "("}}},
        {"type": "object", "required": ["a"], "properties": {"a": {"pattern": "(?=a)a+"}}},
        {"type": "object", "required": ["a"], "patternProperties": {"(.)\\1": False}},
        {"type": "object", "required": ["a"], "patternProperties": {"b": True}, "unevaluatedProperties": False},
        {"type": 5},
    ],
)
def test_a_schema_that_cannot_be_used_is_abstained_on(scored, schema):
    completion = '{"a": "' + "a" * 40 + '!"}'
    assert scored("json_output", completion, schema=schema).status == "abstain"


def test_references_that_multiply_end_early(scored):
    layers = {f"l{n}": {"allOf": [{"$ref": f"#/$defs/l{n + 1}"}] * 4} for n in range(30)}
    schema = {"$defs": {**layers, "l30": {"type": "object", "required": ["a"]}}, "$ref": "#/$defs/l0"}
    started = time.monotonic()
    assert scored("json_output", '{"a": 1}', schema=schema).status == "abstain"
    assert time.monotonic() - started < 5


def test_without_json_to_compare_with_it_abstains(scored):
    assert scored("json_output", "{}", "prose").status == "abstain"


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "^(?:a{1,20}){1,20}$", "^(\\w+\\s?)*$"])
@pytest.mark.parametrize("keyword", ["pattern", "patternProperties", "propertyNames", "additionalProperties"])
def test_patterns_of_a_schema_are_matched_in_linear_time(scored, pattern: str, keyword: str):
    name = {"type": "object", "required": ["a"]}
    schema = {
        "pattern": {**name, "properties": {"a": {"pattern": pattern}}},
        "patternProperties": {**name, "patternProperties": {pattern: {"type": "string"}}, "maxProperties": 1},
        "propertyNames": {**name, "propertyNames": {"pattern": pattern}},
        "additionalProperties": {**name, "patternProperties": {pattern: {}}, "additionalProperties": False},
    }[keyword]
    hostile = "a" * 50_000 + "!"
    started = time.monotonic()
    assert scored("json_output", json.dumps({"a": "a" * 40}), schema=schema).value == 1.0
    assert scored("json_output", json.dumps({"a": hostile, hostile: 1}), schema=schema).value <= 0.4
    assert time.monotonic() - started < 5.0


def test_patterns_mean_what_json_schema_says():
    assert problems("a\n", {"pattern": "^a$"})  # the end of the text, not of its last line
    assert problems("٣", {"pattern": r"^\d$"})  # ASCII
    assert not problems("一", {"pattern": r"^[\u4e00-\u9fff]$"})
    assert not problems("😀", {"pattern": r"^\ud83d\ude00$"})
    assert not problems("a/b", {"pattern": r"^a\/b$"})
    assert not problems("\ud800", {"pattern": r"^.$"})


@pytest.mark.parametrize(
    "value",
    [
        [1] * 30_000,
        {"a": [[1]] * 15_000},
        {"text": "a" * 100_000},
        10**400,
        json.loads("[" * 400 + "]" * 400),
    ],
    ids=["long", "many", "text", "number", "deep"],
)
def test_a_value_that_is_too_large_has_itself_to_blame(scored, value: object):
    schema = {
        "$defs": {"tree": {"type": "array", "items": {"anyOf": [{"type": "number"}, {"$ref": "#/$defs/tree"}]}}},
        "anyOf": [
            {"type": "integer", "multipleOf": 0.1},
            {"$ref": "#/$defs/tree"},
            {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/$defs/tree"}}},
            {"type": "object", "required": ["text"], "properties": {"text": {"pattern": ".{900}b"}}},
        ],
    }
    score = scored("json_output", json.dumps(value), schema=schema)
    assert score.status == "ok" and score.value < 1.0
