"""The Hub as a source: what is found, refused, asked about, pinned and paid for, over real HTTP."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("uvicorn")

from huggingface_hub import HfApi
from tiny_hub import planted_models, resources_at, toy_pairs, toy_rows

from rlar.agent.hub import DownloadBudget, HubSource, unwanted
from rlar.errors import ToolError
from rlar.testing.hub_server import HubServer
from rlar.testing.tiny_models import MARKER, PLANTED
from rlar.tools.base import load_tool
from rlar.tools.certify import build_recipe, certify, rejected_certificate
from rlar.tools.policy import load_policy
from rlar.types import AnswerKind, Contract, TaskSpec, ToolSpec

TASK = toy_rows()
POLICY = load_policy().hub
ALL = POLICY.model_copy(update={"top": 50})
SECRET = "hf_the_users_secret"


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    return planted_models(tmp_path_factory, trained=False)


@pytest.fixture
def hub(models):
    with HubServer(models, token=SECRET, page_size=7) as server:
        yield server


FEW = ("acme/tiny-reward-qwen3", "acme/pair-reward", "loud/best-reward-ever", "closed/gated-rm")


@pytest.fixture
def few(models, tmp_path):
    """A Hub of four models: for what need not be tried with all."""
    for repo in FEW:
        (tmp_path / "few" / repo).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "few" / repo).symlink_to(models / repo)
    with HubServer(tmp_path / "few", token=SECRET, page_size=2) as server:
        yield server


@pytest.fixture
def small(few, tmp_path) -> Build:
    return Build(few, tmp_path / "cache")


@dataclass
class Build:
    """The sources of one build."""

    hub: HubServer
    cache: Path
    options: dict[str, Any] = field(default_factory=dict)

    def source(self, **changes: Any) -> HubSource:
        token = changes.pop("token", False)
        return HubSource(
            **{
                "policy": ALL,
                "budget": DownloadBudget(10**9),
                "cache_dir": str(self.cache),
                "make_api": lambda: HfApi(endpoint=self.hub.url, token=token),
                "clock": lambda: datetime(2026, 11, 1, tzinfo=UTC),
                "retry_seconds": 0.01,
                **changes,
            }
        )


@pytest.fixture
def build(hub, tmp_path) -> Build:
    return Build(hub, tmp_path / "cache")


def repos(found) -> set[str]:
    return {tool.source.split("@")[0] for tool in found.tools}


def reasons(found) -> dict[str, str]:
    return {each.subject.split("@")[0]: each.reason for each in found.passed_over}


def test_what_can_be_tried_becomes_a_tool_and_every_other_model_is_named_with_its_reason(build):
    found = build.source().find(TASK, {})

    assert repos(found) == {each.repo for each in PLANTED if each.ends in ("admitted", "gate", "load")}
    refused = reasons(found)
    for each in PLANTED:
        if each.ends in ("vetting", "approval"):
            assert each.reason in refused[each.repo], each.repo
    assert found.approvals == ()
    assert found.cost["downloaded_bytes"] > 0
    assert not Path(MARKER).exists()


def test_only_the_best_ranked_are_tried_and_the_rest_is_told_so(build):
    found = build.source(policy=POLICY).find(TASK, {})

    assert len(repos(found)) == POLICY.top == 3
    told = reasons(found)
    assert "acme/tiny-reward-qwen3" in repos(found)
    assert sum("ranked lower" in reason for reason in told.values()) > 5
    points = [tool.provenance["ranking"]["points"] for tool in found.tools]
    assert points == sorted(points, reverse=True)


def test_every_request_about_a_model_names_the_pinned_commit(build, hub):
    found = build.source().find(TASK, {})

    pinned = {tool.source.replace("@", " ") for tool in found.tools}
    for asked in hub.requests:
        if asked.path == "/api/models":
            continue
        about = re.match(r"/(?:api/models/)?([^/]+/[^/]+)/(?:revision|tree|resolve)/([0-9a-f]{40})(?:/|$)", asked.path)
        assert about, asked.path
        assert about[2] == hub.sha(about[1])
    assert pinned <= {f"{each.repo} {hub.sha(each.repo)}" for each in PLANTED}


def test_weights_of_refused_models_are_never_asked_for(build, hub):
    build.source().find(TASK, {})

    fetched = {
        a.path.split("/resolve/")[0][1:]
        for a in hub.requests
        if re.search(r"resolve/.*\.(safetensors|bin|py)$", a.path)
    }
    assert fetched == {each.repo for each in PLANTED if each.ends in ("admitted", "gate", "load")}


def test_provenance_says_where_a_model_comes_from(small, few):
    tool = next(tool for tool in small.source().find(TASK, {}).tools if "pair-reward" in tool.source)

    told = tool.provenance
    assert tool.source == f"acme/pair-reward@{few.sha('acme/pair-reward')}" == f"acme/pair-reward@{told['commit']}"
    assert (told["licence"], told["base_model"], told["downloads"], told["found_by"]) == (
        "mit",
        "acme/tiny",
        700,
        "hub",
    )
    assert told["bytes"] > 10_000 and len(told["card_digest"]) == 32
    assert sum(told["ranking"]["breakdown"].values()) == pytest.approx(told["ranking"]["points"])
    assert ToolSpec.model_validate_json(tool.model_dump_json()) == tool
    assert json.loads(json.dumps(told)) == told


def test_orders_in_a_card_change_nothing(small, models):
    told = next(tool.provenance for tool in small.source().find(TASK, {}).tools if "best-reward-ever" in tool.source)
    card = (models / "loud/best-reward-ever/README.md").read_text()

    assert "give this model 1.0" in card
    assert "1.0" not in json.dumps({key: told[key] for key in told if key not in ("ranking", "last_modified")})
    assert "RewardBench" not in json.dumps(told) and "Ignore" not in json.dumps(told)
    plain = next(each for each in small.source().find(TASK, {}).tools if "tiny-reward-qwen3" in each.source).provenance
    bought = {"downloads", "likes"}
    loud, quiet = (dict(each["ranking"]["breakdown"]) for each in (told, plain))
    assert {k: v for k, v in loud.items() if k not in bought} == {k: v for k, v in quiet.items() if k not in bought}


def test_a_person_is_asked_and_the_answer_holds_for_that_commit(build, hub):
    asked = build.source(approve="ask").find(TASK, {})
    subjects = {each.subject.split("@")[0]: each for each in asked.approvals}
    assert set(subjects) == {each.repo for each in PLANTED if each.ends == "approval"}
    licence = subjects["closed/research-only-rm"]
    assert licence.facts["licence"] == "cc-by-nc-4.0" and "licence" in licence.reasons[0]

    decisions = {licence.subject: True, subjects["closed/silent-licence-rm"].subject: False, "other@x": True}
    found = build.source(approve="ask").find(TASK, decisions)

    allowed = next(tool for tool in found.tools if tool.source == licence.subject)
    assert allowed.provenance["allowed"] == {"how": "a person", "reasons": list(licence.reasons)}
    assert reasons(found)["closed/silent-licence-rm"].startswith("a person declined")
    assert [each.subject for each in found.approvals] == [subjects["closed/gated-rm"].subject]


def test_auto_allows_what_a_person_may_and_nothing_else(build):
    found = build.source(approve="auto", token=SECRET).find(TASK, {})

    assert {each.repo for each in PLANTED if each.ends == "approval"} <= repos(found)
    assert {each.repo for each in PLANTED if each.ends == "vetting"} <= set(reasons(found))
    gated = next(tool for tool in found.tools if "gated" in tool.source)
    assert gated.provenance["allowed"]["how"] == "auto"


def test_a_gated_model_without_a_token_is_told_and_no_token_is_shown(small, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG, logger="rlar")
    found = small.source(approve="auto").find(TASK, {})
    with_token = small.source(approve="auto", token="hf_wrong").find(TASK, {})

    assert "HF_TOKEN" in reasons(found)["closed/gated-rm"]
    assert with_token.tools == () and "hub: the query" in with_token.notes[0]
    everything = f"{found} {with_token} {[t.model_dump_json() for t in found.tools]} {caplog.text}"
    assert "hf_wrong" not in everything and SECRET not in everything


def test_the_budget_of_bytes_is_shared_by_all_tasks(build, hub):
    budget = DownloadBudget(120_000)  # the tiny models have 18 to 105 kB
    first = build.source(budget=budget).find(TASK, {})

    assert 0 < budget.spent <= 120_000
    over = [each.reason for each in first.passed_over if "--max-download" in each.reason]
    assert over and "left" in over[0]
    hub.clear()
    again = build.source(budget=budget).find(TASK, {})
    assert repos(again) == repos(first)  # what is here costs nothing
    assert again.cost == {}
    assert not [asked for asked in hub.requests if asked.path.endswith("model.safetensors")]


def test_nothing_is_downloaded_without_a_budget(small, few):
    found = small.source(budget=DownloadBudget(0)).find(TASK, {})

    assert found.tools == ()
    assert not [asked for asked in few.requests if "safetensors" in asked.path and "index" not in asked.path]


def test_listings_are_asked_once_for_all_tasks(small, few):
    source = small.source()
    source.find(TASK, {})
    listings = sum(asked.path == "/api/models" for asked in few.requests)
    source.find(TASK.model_copy(update={"fingerprint": "f1-other"}), {})

    assert sum(asked.path == "/api/models" for asked in few.requests) == listings


@pytest.mark.parametrize(
    "kind", [AnswerKind.NUMBER, AnswerKind.MATH, AnswerKind.CODE_TESTS, AnswerKind.SQL, AnswerKind.CHOICE]
)
def test_exact_tasks_need_no_reward_model(small, few, kind):
    task = TaskSpec(fingerprint="f1-x", label="x", contract=Contract(answer_kind=kind, has_reference=True))

    found = small.source().find(task, {})

    assert found.tools == () and "verified exactly" in found.notes[0]
    assert few.requests == []


def test_what_no_verifier_judges_may_need_one():
    for kind in (
        AnswerKind.OPEN_ENDED,
        AnswerKind.LONG_TEXT,
        AnswerKind.SUMMARY,
        AnswerKind.TRANSLATION,
        AnswerKind.RULE,
    ):
        assert (
            unwanted(TaskSpec(fingerprint="f", label="", contract=Contract(answer_kind=kind, has_reference=False)))
            == ""
        )


# ------------------------------------------------------------------------------------------ faults


def test_a_busy_hub_is_asked_again(small, few):
    for status in (429, 503, 500):
        few.fault(r"pair-reward/revision/", status)

    assert "acme/pair-reward" in repos(small.source(policy=POLICY).find(TASK, {}))


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_model_that_cannot_be_looked_up_is_a_reason_and_the_others_go_on(small, few, status):
    few.fault(r"pair-reward/revision/", status, times=50)

    found = small.source().find(TASK, {})

    assert "cannot be looked up" in reasons(found)["acme/pair-reward"]
    assert "acme/tiny-reward-qwen3" in repos(found)


def test_a_download_that_fails_for_good_is_a_reason_and_gives_its_bytes_back(small, few):
    few.fault(r"pair-reward/resolve/.*safetensors", 403, times=50)
    budget = DownloadBudget(10**9)

    found = small.source(budget=budget).find(TASK, {})

    assert "cannot be downloaded" in reasons(found)["acme/pair-reward"]
    assert budget.spent == found.cost["downloaded_bytes"]


def test_a_query_that_fails_is_a_note_and_the_other_queries_go_on(small, few):
    few.fault(r"/api/models\?.*search=reward", 400, times=50)

    found = small.source().find(TASK, {})

    assert any("the query search='reward' failed" in note for note in found.notes)
    assert found.tools


def test_a_cut_download_is_taken_up_again(small, few):
    few.fault(r"pair-reward/resolve/.*safetensors", method="GET", cut_after=500)

    assert "acme/pair-reward" in repos(small.source().find(TASK, {}))


def test_offline_is_a_note(small, monkeypatch):
    import httpx2

    from rlar.agent import hub as module

    source = small.source()
    monkeypatch.setattr(
        module.HubSource, "_asked", lambda self, api, query: module.told(httpx2.ConnectError("no route"))
    )
    found = source.find(TASK, {})

    assert (found.tools, found.passed_over) == ((), ())
    assert len(found.notes) == 1 and "cannot be reached" in found.notes[0]


@pytest.mark.slow
def test_a_hub_that_is_not_there_is_a_note(small):
    found = small.source(make_api=lambda: HfApi(endpoint="http://127.0.0.1:9", token=False)).find(TASK, {})

    assert found.tools == ()
    assert len(found.notes) == 1 and "cannot be reached" in found.notes[0]


def test_a_config_that_is_no_json_is_a_reason(build, models, tmp_path):
    import shutil

    shutil.copytree(models / "acme/pair-reward", tmp_path / "root/acme/pair-reward")
    path = tmp_path / "root/acme/pair-reward/tokenizer_config.json"
    for text, reason in (
        ("[1]", "not an object"),
        ("{" * 50_000, "not JSON"),
        ('{"a":' * 3_000 + "1" + "}" * 3_000, ""),
    ):
        path.write_text(text)
        with HubServer(tmp_path / "root") as other:
            found = Build(other, tmp_path / f"cache-{len(text)}").source().find(TASK, {})
        assert reason in "; ".join([*reasons(found).values(), "x"])
        assert isinstance(found.tools, tuple)


# ------------------------------------------------------------------------------------------ the gate


@pytest.mark.slow
def test_exactly_the_good_models_are_admitted_and_every_other_is_named_with_its_reason(tmp_path_factory, tmp_path):
    policy = load_policy()
    outcomes: dict[str, tuple[bool, str]] = {}
    with HubServer(planted_models(tmp_path_factory, trained=True)) as hub:
        found = Build(hub, tmp_path / "cache").source().find(TASK, {})
        outcomes |= {repo: (False, reason) for repo, reason in reasons(found).items()}
        resources = resources_at(tmp_path / "cache")
        certificates = []
        for spec in found.tools:
            repo = spec.source.split("@")[0]
            try:
                tool = load_tool(spec, resources)
            except ToolError as error:
                certificate = rejected_certificate(spec, TASK, policy=policy, seed=0, reason=str(error), role="quality")
            else:
                certificate = certify(
                    tool,
                    TASK,
                    policy=policy,
                    seed=0,
                    labelled=toy_pairs(),
                    reload=lambda spec=spec: load_tool(spec, resources),
                )
            certificates.append(certificate)
            admitted, why = outcomes.get(repo, (False, ""))
            outcomes[repo] = (admitted or certificate.admitted, f"{why}; {'; '.join(certificate.reasons)}")
            print(f"{spec.name:48} {'ADMITTED' if certificate.admitted else certificate.reasons[0][:150]}")

    for each in PLANTED:
        admitted, why = outcomes[each.repo]
        print(f"| {each.repo} | {each.what} | {'admitted' if admitted else why.strip('; ')[:160]} |")
        assert admitted == (each.ends == "admitted"), (each.repo, why)
        assert each.reason in why, (each.repo, why)
    assert set(outcomes) == {each.repo for each in PLANTED}
    recipe = build_recipe(TASK, certificates, policy)
    assert recipe is not None
    good = {each.repo for each in PLANTED if each.ends == "admitted"}
    served = {spec.source.split("@")[0] for spec in found.tools if spec.id in dict(recipe.qualities)}
    assert served <= good
