"""Ranking and vetting of the Hub's models, from facts alone."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from rlar.agent.hub.vetting import ModelFacts, facts_of, rank, vet, window
from rlar.gate.policy import load_policy
from rlar.types import AnswerKind, Contract, TaskSpec

HUB = load_policy().hub
NOW = datetime(2026, 6, 1, tzinfo=UTC)
SHA = "a" * 40
FILES = ("README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForSequenceClassification"],
    "model_type": "llama",
    "id2label": {"0": "LABEL_0"},
    "pad_token_id": 0,
    "max_position_embeddings": 1024,
}


def task(language: str | None = None) -> TaskSpec:
    contract = Contract(answer_kind=AnswerKind.TRANSLATION, has_reference=True, target_language=language)
    return TaskSpec(fingerprint="f", label="l", contract=contract)


def facts(**changes: Any) -> ModelFacts:
    known = {
        "repo": "acme/some-rm", "sha": SHA, "tags": ("reward-model",), "pipeline_tag": "text-classification",
        "architectures": ("LlamaForSequenceClassification",), "licences": ("mit",), "downloads": 999, "changed": NOW,
        "files": FILES, "sizes": dict.fromkeys(FILES, 100), "config": CONFIG, "tokenizer_config": {},
    }  # fmt: skip
    return ModelFacts(**{**known, **changes})


# ------------------------------------------------------------------------------------------ ranking


def test_points_of_a_plain_reward_model_add_up():
    found = rank(facts(), task(), now=NOW)
    # tags 4, name 3, architecture 2, pipeline 1, licence .5, downloads .5 * log10(1000) = 1.5, recency 1 today, card .25
    expected = {"tags": 4, "name": 3, "architecture": 2, "pipeline": 1, "licence": 0.5, "downloads": 1.5, "recency": 1}
    assert {name: value for name, value in found.breakdown.items() if value} == {**expected, "card": 0.25}
    assert found.score == 13.25
    assert found.is_reward_model


def test_a_popular_classifier_is_no_reward_model():
    popular = facts(repo="big/sentiment-roberta", tags=("text-classification",), downloads=50_000_000, likes=9000)
    assert not rank(popular, task(), now=NOW).is_reward_model


@pytest.mark.parametrize(
    ("name", "says"),
    [("Skywork-Reward-V2", True), ("UltraRM-13b", True), ("tiny-rm", True), ("FsfairX-LLaMA3-RM-v0.1", True),
     ("Math-PRM-7B", True), ("norm-classifier", False), ("TransFORMer", False), ("germeval", False), ("rmsnorm", False)],
)  # fmt: skip
def test_names_say_reward_model_by_whole_words(name, says):
    assert rank(facts(repo=f"x/{name}", tags=()), task(), now=NOW).is_reward_model is says


def test_downloads_cannot_buy_more_than_a_quarter_of_the_points_of_a_reward_model():
    bought = rank(facts(downloads=10**12), task(), now=NOW)
    assert bought.breakdown["downloads"] == 2.5


def test_the_task_s_language_counts():
    french, german, silent = (
        rank(facts(languages=stated), task("fr"), now=NOW).breakdown["language"] for stated in (("fr",), ("de",), ())
    )
    assert (french, german, silent) == (1.0, -1.0, 0.0)


def test_a_model_of_two_years_ago_has_half_the_recency():
    old = facts(changed=datetime(2024, 6, 1, tzinfo=UTC))
    assert rank(old, task(), now=NOW).breakdown["recency"] == pytest.approx(0.5, abs=0.002)


# ------------------------------------------------------------------------------------------ vetting


def test_nothing_speaks_against_a_plain_reward_model():
    found = vet(facts(), HUB)
    assert (found.refused, found.approvals) == ("", ())


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"disabled": True}, "disabled"),
    ({"own_code": True}, "auto_map"),
    ({"config": {**CONFIG, "auto_map": {}}}, "auto_map"),
    ({"tokenizer_config": {"auto_map": {"AutoTokenizer": ["x.T", None]}}}, "auto_map"),
    ({"flagged": ("model.safetensors",)}, "security"),
    ({"files": ("config.json", "pytorch_model.bin")}, "no safetensors"),
    ({"files": ("model.safetensors",)}, "no config.json"),
    ({"parameters": {"BF16": 70 * 10**9}}, "140.0 GB"),
    ({"parameters": {"F32": 8 * 10**9}}, "32.0 GB"),
    ({"sizes": {**dict.fromkeys(FILES, 1), "model.safetensors": 10**11}}, "100.0 GB"),
    ({"sizes": {**dict.fromkeys(FILES, 1), "tokenizer.json": 10**9}}, "tokenizer.json has 1000 MB"),
    ({"sizes": {}}, "does not say how large"),
    ({"config": {**CONFIG, "id2label": {"0": "bad", "1": "good"}}}, "2 labels"),
    ({"config": {**CONFIG, "id2label": {"0": "a", "1": "b", "2": "c"}}}, "read-out"),
    ({"config": {**CONFIG, "architectures": ["LlamaForCausalLM"]}}, "endpoint"),
    ({"config": {**CONFIG, "architectures": ["MyRM"]}}, "no recipe"),
    ({"config": {**CONFIG, "pad_token_id": None}}, "pad token"),
    ({"config": {**CONFIG, "quantization_config": {}}}, "quantised"),
    (
        {"files": (*FILES, "model.safetensors.index.json"), "index": {"weight_map": {"a": "../../x.safetensors"}}},
        "outside",
    ),
    (
        {
            "files": (*FILES, "model.safetensors.index.json"),
            "index": {"weight_map": {"a": "model-00002-of-00002.safetensors"}},
        },
        "not in the repository",
    ),
    ({"files": (*FILES, "model.safetensors.index.json"), "index": None}, "names no weights"),
    ({"files": (*FILES, "model.safetensors.index.json"), "index": {"weight_map": [1, 2]}}, "cannot be read"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED, ids=[words for _changes, words in REFUSED])
def test_refused_whatever_anybody_allows(changes, words):
    found = vet(facts(**changes), HUB)
    assert words in found.refused
    assert found.approvals == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"licences": ("llama3",)}, "licence llama3 is not on the policy's list"),
        ({"licences": ("mit", "cc-by-nc-4.0")}, "licence cc-by-nc-4.0"),
        ({"licences": ()}, "no licence stated"),
        ({"gated": "manual"}, "gated"),
        ({"gated": "auto"}, "gated"),
    ],
)
def test_a_person_is_asked_about_licences_and_gates(changes, words):
    found = vet(facts(**changes), HUB)
    assert found.refused == ""
    assert words in found.approvals[0]


def test_both_reasons_are_told():
    assert len(vet(facts(gated="auto", licences=("gemma",)), HUB).approvals) == 2


def test_what_is_not_known_yet_is_no_reason():
    listed = facts(config=None, tokenizer_config=None, sizes=None)
    assert vet(listed, HUB).refused == ""


# ------------------------------------------------------------------------------------------ facts


def info(**changes: Any) -> Any:
    told = {
        "id": "acme/some-rm", "sha": SHA, "tags": ["reward-model", "license:apache-2.0"], "config": {}, "siblings": [],
        "card_data": None, "pipeline_tag": None, "gated": False, "disabled": None, "downloads": None, "likes": None,
        "last_modified": None, "safetensors": None,
    }  # fmt: skip
    return SimpleNamespace(**{**told, **changes})


def test_the_licence_comes_from_the_tag_where_the_card_has_no_head():
    known = facts_of(info())
    assert known is not None
    assert known.licences == ("apache-2.0",)


@pytest.mark.parametrize("changes", [{"id": "../../etc"}, {"id": "a/b/c"}, {"sha": "main"}, {"sha": None}])
def test_without_a_usable_name_and_commit_there_are_no_facts(changes):
    assert facts_of(info(**changes)) is None


def test_odd_metadata_are_cut_to_printable_words():
    card = SimpleNamespace(to_dict=lambda: {"license": ["MIT", 7, None], "base_model": "x\x1b[2J\n" + "y" * 500})
    known = facts_of(info(card_data=card, tags=["ok", 5, {"a": 1}]))
    assert known is not None
    assert known.licences == ("mit",)
    assert known.tags == ("ok",)
    assert known.base_models[0].isprintable()
    assert len(known.base_models[0]) <= 100


@pytest.mark.parametrize(
    ("config", "tokenizer", "tokens"),
    [
        ({}, {}, 1024),
        ({"max_position_embeddings": 514, "model_type": "xlm-roberta"}, {}, 512),
        ({"max_position_embeddings": 10**6}, {}, 4096),
        ({"max_position_embeddings": None, "text_config": {"max_position_embeddings": 300}}, {}, 300),
        ({}, {"model_max_length": 512}, 512),
        ({}, {"model_max_length": 10**30}, 1024),
    ],
)
def test_the_window_is_the_least_that_anything_says(config, tokenizer, tokens):
    assert window(facts(config={**CONFIG, **config}, tokenizer_config=tokenizer), HUB) == tokens
