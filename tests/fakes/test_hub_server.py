"""The stand-in Hub answers the real client as the Hub does, and forgets secrets."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("uvicorn")

from huggingface_hub import HfApi
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from tests.fakes import toy_task
from tests.fakes.hub_server import HubServer
from tests.fakes.tiny_hub import planted_models
from tests.fakes.tiny_models import PLANTED

REPO = "acme/tiny-reward-qwen3"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return planted_models(tmp_path_factory, trained=False)


@pytest.fixture
def hub(models):
    with HubServer(models, token="hf_secret", page_size=4) as server:
        yield server


@pytest.fixture
def api(hub):
    return HfApi(endpoint=hub.url, token=False)


def test_every_planted_model_is_there_and_all_are_small(models):
    assert {f"{folder.parent.name}/{folder.name}" for folder in models.glob("*/*")} == {each.repo for each in PLANTED}
    assert sum(path.stat().st_size for path in models.rglob("*") if path.is_file()) < 2_000_000


def test_a_listing_longer_than_a_page_is_read_to_its_end(hub, api):
    found = [info.id for info in api.list_models(sort="downloads", expand=["sha", "downloads", "config"])]

    assert sorted(found) == sorted(each.repo for each in PLANTED)
    assert found[0] == "loud/best-reward-ever"  # most downloads first
    assert sum(asked.path == "/api/models" for asked in hub.requests) == (len(PLANTED) + 3) // 4


def test_filters_and_searches_narrow_a_listing(api):
    assert [info.id for info in api.list_models(filter="prm")] == ["acme/tiny-prm", "chance/mislabelled-prm"]
    assert [info.id for info in api.list_models(search="huge")] == ["big/huge-rm"]
    assert [info.id for info in api.list_models(pipeline_tag="token-classification", author="acme")] == [
        "acme/tiny-prm"
    ]


def test_a_commit_stays_after_main_has_moved_on(models, tmp_path):
    shutil.copytree(models / REPO, tmp_path / "root" / REPO)
    with HubServer(tmp_path / "root") as hub:
        api, old = HfApi(endpoint=hub.url, token=False), hub.sha(REPO)
        (tmp_path / "root" / REPO / "README.md").write_text("changed")

        assert hub.sha(REPO) != old
        folder = api.snapshot_download(REPO, revision=old, cache_dir=tmp_path / "cache", allow_patterns=["README.md"])
        assert "license" in (tmp_path / "cache" / folder / "README.md").read_text()
        with pytest.raises(RevisionNotFoundError):
            api.model_info(REPO, revision="f" * 40)


def test_sizes_hashes_and_flags_come_with_a_model(hub, api, models):
    info = api.model_info("odd/flagged-rm", files_metadata=True, securityStatus=True)
    weights = next(each for each in info.siblings if each.rfilename == "model.safetensors")

    assert weights.size == (models / "odd/flagged-rm/model.safetensors").stat().st_size
    assert weights.lfs.sha256 and info.security_repo_status["filesWithIssues"] == [
        {"path": "model.safetensors", "level": "unsafe"}
    ]
    assert api.model_info("big/huge-rm").safetensors.total == 70_000_000_000


def test_gates_open_to_the_token_only_and_the_token_is_not_kept(hub, tmp_path):
    def get(token):
        return HfApi(endpoint=hub.url, token=token).hf_hub_download(
            "closed/gated-rm", "config.json", cache_dir=tmp_path / str(token)
        )

    with pytest.raises(GatedRepoError):
        get(False)
    with pytest.raises(HfHubHTTPError):
        get("hf_wrong")
    assert json.loads(Path(get("hf_secret")).read_text("utf-8"))["architectures"]
    assert any(asked.authorized for asked in hub.requests)
    assert "hf_" not in str(hub.requests)


def test_a_repository_that_is_not_there(api):
    for name in ("nobody/nothing", "../etc", ".git/x"):
        with pytest.raises((RepositoryNotFoundError, HfHubHTTPError, ValueError)):
            api.model_info(name)


def test_a_busy_hub_is_asked_again_by_the_real_client(hub, api):
    hub.fault("/api/models$", 503, times=1, headers={"Retry-After": "0"})

    assert len(list(api.list_models(limit=2))) == 2


def test_a_download_that_breaks_off_is_taken_up_again(hub, api, tmp_path, models):
    hub.fault(r"resolve/.*/model\.safetensors", method="GET", cut_after=1000)

    folder = api.snapshot_download(REPO, revision=hub.sha(REPO), cache_dir=tmp_path, allow_patterns=["*.safetensors"])

    assert (tmp_path / folder / "model.safetensors").read_bytes() == (models / REPO / "model.safetensors").read_bytes()
    assert sum(asked.method == "GET" and "model.safetensors" in asked.path for asked in hub.requests) == 2


def test_faults_are_spent(hub, api):
    hub.fault("revision/", 500, times=2)

    for _ in range(2):
        with pytest.raises(HfHubHTTPError):
            api.model_info(REPO, revision=hub.sha(REPO))
    assert api.model_info(REPO, revision=hub.sha(REPO)).id == REPO


def test_the_toy_task_knows_right_from_wrong():
    prompt = toy_task.prompts()[0]
    right = toy_task.right_answer(prompt)

    assert toy_task.step_grades(prompt, right) == [1.0] * 5
    assert toy_task.step_grades(prompt, "\n".join(right.split("\n")[1:])) == pytest.approx([0.3] * 4)
    assert toy_task.step_grades(prompt, right.replace("Kenya", "Peru")) == [0.0] * 5
    assert all(pair.better != pair.worse for pair in toy_task.pairs(200))
    assert toy_task.pairs(30) == toy_task.pairs(30)
