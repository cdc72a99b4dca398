"""Ranking and vetting of models by what they say of themselves: pure, and deaf to advertisement."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from rlar.agent.vetting import ModelFacts, facts_of, looks_like_reward_model, plan, rank, vet
from rlar.errors import ToolError
from rlar.tools.policy import load_policy
from rlar.types import AnswerKind, Contract, TaskSpec

POLICY = load_policy().hub
NOW = datetime(2026, 11, 1, tzinfo=UTC)
FILES = {"config.json": 900, "model.safetensors": 1_000, "tokenizer.json": 5_000}


def facts(**changes) -> ModelFacts:
    base = {"id": "acme/thing", "sha": "a" * 40, "licence": "mit", "files": FILES}
    return ModelFacts(**{**base, **changes})


# What the Hub really says of published reward models: no signal is common to all.
PUBLISHED = {
    "skywork": facts(
        id="Skywork/Skywork-Reward-V2-Qwen3-8B",
        pipeline_tag="text-classification",
        architecture="Qwen3ForSequenceClassification",
    ),
    "trl": facts(id="me/qwen-sorted", tags=("trl", "reward-trainer"), architecture="Qwen2ForSequenceClassification"),
    "deberta": facts(
        id="OpenAssistant/reward-model-deberta-v3-large-v2",
        tags=("reward-model", "RLHF"),
        architecture="DebertaV2ForSequenceClassification",
    ),
    "tag with a space": facts(
        id="internlm/internlm2-7b-reward", tags=("Reward Model", "custom_code"), architecture="InternLM2ForRewardModel"
    ),
    "process": facts(id="plaguss/Qwen2.5-Math-7B", tags=("prm", "trl"), architecture="Qwen2ForTokenClassification"),
}
OTHERS = {
    "sentiment": facts(
        id="acme/distilbert-sst2",
        pipeline_tag="text-classification",
        architecture="DistilBertForSequenceClassification",
    ),
    "named entities": facts(id="acme/ner", architecture="BertForTokenClassification"),
    "language model": facts(id="acme/chat-7b", architecture="LlamaForCausalLM", downloads=10**7, likes=10**5),
    "alarm": facts(id="acme/alarm-detector", architecture="BertForSequenceClassification"),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_reward_models_are_recognised(name):
    assert looks_like_reward_model(PUBLISHED[name], POLICY)


@pytest.mark.parametrize("name", OTHERS)
def test_other_classifiers_are_not_taken_for_reward_models_however_popular(name):
    assert not looks_like_reward_model(OTHERS[name], POLICY)


def test_the_breakdown_adds_up_to_the_points():
    found = rank(
        PUBLISHED["deberta"].model_copy(update={"downloads": 999, "last_modified": "2026-05-01T00:00:00+00:00"}),
        now=NOW,
    )

    assert sum(found.breakdown.values()) == pytest.approx(found.points)
    assert found.breakdown["tag"] == 3.0 and found.breakdown["name"] == 2.0 and found.breakdown["architecture"] == 2.0
    assert found.breakdown["downloads"] == pytest.approx(1.2)  # 0.4 * log10(1000)
    assert found.breakdown["recency"] == pytest.approx(1 - 0.5 * 184 / 365, abs=0.01)


def test_popularity_is_bounded():
    modest = rank(facts(id="a/x-rm", downloads=100, likes=10))
    famous = rank(facts(id="a/x-rm", downloads=10**12, likes=10**12))

    assert famous.points - modest.points < 2.0  # less than the name alone


def test_the_language_of_the_task_counts():
    task = TaskSpec(
        fingerprint="f1-0",
        label="translation",
        contract=Contract(answer_kind=AnswerKind.TRANSLATION, has_reference=True, target_language="de"),
    )
    english, german = facts(languages=("en",)), facts(languages=("de", "en"))

    assert rank(german, task).breakdown["language"] == 1.0
    assert rank(english, task).breakdown["language"] == -2.0
    assert "language" not in rank(facts(), task).breakdown
    assert "language" not in rank(english).breakdown


def test_giants_lose_points():
    assert rank(facts(parameters=7_000_000_000)).breakdown["size"] > 0
    assert rank(facts(parameters=70_000_000_000)).breakdown["size"] < -1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"disabled": True}, "disabled"),
        ({"has_auto_map": True}, "auto_map"),
        ({"tags": ("custom_code",)}, "auto_map"),
        ({"flagged": ("x.bin",)}, "security"),
        ({"files": {"pytorch_model.bin": 5}}, r"no safetensors weights \(only pytorch_model.bin\)"),
        ({"files": {**FILES, "model.safetensors": 10**12}}, "1000 GB"),
        ({"parameters": 70_000_000_000}, "140 GB"),
    ],
)
def test_what_nobody_can_allow(changes, reason):
    import re

    verdict = vet(facts(**changes), POLICY)

    assert any(re.search(reason, each) for each in verdict.refused)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"licence": None}, "no licence stated"),
        ({"licence": "cc-by-nc-4.0"}, "cc-by-nc-4.0"),
        ({"licence": "llama3"}, "llama3"),
        ({"gated": "auto"}, "gated"),
    ],
)
def test_what_a_person_may_allow(changes, reason):
    verdict = vet(facts(**changes), POLICY)

    assert verdict.refused == ()
    assert reason in verdict.needs_approval[0]
    assert vet(facts(), POLICY).needs_approval == ()


def test_the_plan_names_files_readings_and_the_window():
    config = {"architectures": ["LlamaForSequenceClassification"], "id2label": {"0": "LABEL_0"}, "pad_token_id": 0}
    made = plan(
        facts(files={**FILES, "chat_template.jinja": 5}),
        POLICY,
        config={**config, "max_position_embeddings": 100_000},
        tokenizer_config={"model_max_length": 1_000_000_000_000_000_019},
        index=None,
    )

    assert made.files == ("model.safetensors",)
    assert [each.slug for each in made.readings] == ["chat"]
    assert made.max_length == POLICY.max_length
    short = plan(facts(), POLICY, config={**config, "max_position_embeddings": 512}, tokenizer_config={}, index=None)
    assert (short.max_length, short.readings[0].template) == (512, "pair")
    with pytest.raises(ToolError, match="pad token"):
        plan(facts(), POLICY, config={**config, "pad_token_id": None}, tokenizer_config={}, index=None)


def test_facts_survive_nonsense_from_the_hub():
    info = SimpleNamespace(
        id="a/b", sha=None, downloads=None, likes=None, last_modified=None, pipeline_tag=None, tags=["license:mit", 3],
        card_data=SimpleNamespace(to_dict=lambda: {"license": ["apache-2.0", "mit"], "language": 7, "base_model": {}}),
        config=None, gated=False, disabled=None, safetensors=None, siblings=None, security_repo_status=None,
    )  # fmt: skip

    found = facts_of(info)

    assert (found.licence, found.languages, found.base_model, found.sha) == ("apache-2.0", (), None, "")
    assert facts_of(SimpleNamespace(**{**vars(info), "card_data": None})).licence == "mit"
