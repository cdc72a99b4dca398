"""Reward models as tools: what is loaded and refused, and that scores are the model's own, whatever the batch."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from rlar.errors import ToolError
from rlar.tool import Resources
from rlar.tools.load import load_tool
from rlar.tools.reward_model.families import HeadReading, readings, refusal
from rlar.tools.reward_model.files import check_hashes, weight_files
from rlar.tools.reward_model.linear import use_fastest_linear
from rlar.tools.reward_model.store import SHARED_NAME, ModelStore, model_store
from rlar.tools.reward_model.tool import _batches, _Row, load_model
from rlar.types import Sample
from tests.fakes import toy_task
from tests.fakes.hub_server import HubServer
from tests.fakes.tiny_hub import SHA, cached, planted_models, resources_at, spec_of
from tests.fakes.tiny_models import MARKER

torch.set_num_threads(1)

CHAT = "acme/tiny-reward-qwen3"
PAIR = "chance/random-bert-rm"
PROCESS = "acme/tiny-prm"
OBJECTIVES = "acme/helpsteer-style-rm"
PROMPT = toy_task.prompts()[0].text
RIGHT = toy_task.right_answer(toy_task.prompts()[0])


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    return planted_models(tmp_path_factory, trained=False)


@dataclass
class Bench:
    """One model in a cache of its own, and its tool."""

    models: Path
    cache: Path

    def folder(self, repo: str = CHAT) -> Path:
        return cached(self.models, repo, self.cache)

    def tool(self, repo: str = CHAT, reading: HeadReading | None = None, **params):
        spec = spec_of(self.folder(repo), reading, **params)
        return load_tool(spec, resources_at(self.cache))


@pytest.fixture
def bench(models, tmp_path) -> Bench:
    return Bench(models, tmp_path / "cache")


def sample(completion: str, prompt: str = PROMPT) -> Sample:
    return Sample(prompt=prompt, completion=completion)


def samples(count: int = 24) -> list[Sample]:
    return [sample(text, pair.prompt) for pair in toy_task.pairs(count // 2) for text in (pair.better, pair.worse)]


def plain_transformers(folder: Path, kind: str = "AutoModelForSequenceClassification"):
    import transformers

    return getattr(transformers, kind).from_pretrained(folder).eval(), transformers.AutoTokenizer.from_pretrained(
        folder
    )


# ------------------------------------------------------------------------------------------ scores


def test_a_chat_score_is_the_raw_logit_of_the_template_as_it_stands(bench):
    tool = bench.tool()
    model, tokenizer = plain_transformers(tool._folder)
    turns = [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": RIGHT}]
    ids = tokenizer.apply_chat_template(turns, return_tensors="pt", return_dict=True)["input_ids"]

    expected = model(ids).logits[0, 0].item()

    score = tool.score([sample(RIGHT)])[0]
    assert score.value == pytest.approx(expected, abs=1e-5)
    assert score.details["tokens"] == ids.shape[1]
    assert int((ids == tokenizer.bos_token_id).sum()) == 2  # one a turn: the tokenizer adds none of its own


def test_a_pair_score_reads_prompt_and_completion_as_two_segments(bench):
    tool = bench.tool(PAIR)
    model, tokenizer = plain_transformers(tool._folder)
    encoded = tokenizer(PROMPT, RIGHT, return_tensors="pt")

    assert set(encoded["token_type_ids"][0].tolist()) == {0, 1}
    values = [score.value for score in tool.score([sample(RIGHT), sample("It eats grass.")])]  # padded to one length
    assert values[0] == pytest.approx(model(**encoded).logits[0, 0].item(), abs=1e-5)


def test_objectives_are_weighed_by_their_names_whatever_their_order(bench):
    tool = bench.tool(OBJECTIVES)
    score = tool.score([sample(RIGHT)])[0]
    verbosity, helpfulness, complexity, correctness, coherence = score.details["objectives"]

    expected = 0.65 * helpfulness + 0.8 * correctness + 0.45 * coherence + 0.55 * complexity - 0.4 * verbosity
    assert score.value == pytest.approx(expected, abs=1e-3)


def test_a_process_score_is_read_at_the_end_of_every_step(bench):
    tool = bench.tool(PROCESS)
    model, tokenizer = plain_transformers(tool._folder, "AutoModelForTokenClassification")
    ids, ends = [tokenizer.bos_token_id, *tokenizer(PROMPT, add_special_tokens=False)["input_ids"]], []
    for line in RIGHT.split("\n"):
        ids += tokenizer(line + "\n", add_special_tokens=False)["input_ids"]
        ends.append(len(ids) - 1)
    good = model(torch.tensor([ids])).logits.softmax(-1)[0, ends, 1].tolist()

    read = {over: HeadReading(family="process", template="steps", over=over) for over in ("min", "mean", "last")}
    found = {
        over: load_tool(spec_of(tool._folder, reading), resources_at(bench.cache)) for over, reading in read.items()
    }
    values = {over: each.score([sample(RIGHT)])[0].value for over, each in found.items()}
    assert values == pytest.approx({"min": min(good), "mean": sum(good) / 5, "last": good[-1]}, abs=1e-5)
    assert tool.score([sample(RIGHT)])[0].details["steps"] == pytest.approx(good, abs=1e-3)
    assert tool.score([sample(" \n ")])[0].value == 0.0  # no step at all


@pytest.mark.parametrize("repo", [CHAT, PAIR, PROCESS, OBJECTIVES])
def test_scores_do_not_depend_on_neighbours_or_order(bench, repo):
    tool, asked = bench.tool(repo), samples()
    together = [score.value for score in tool.score(asked)]

    alone = [tool.score([each])[0].value for each in asked]
    turned = [score.value for score in tool.score(asked[::-1])][::-1]

    room = 1e-3 * (max(together) - min(together))
    assert alone == pytest.approx(together, abs=room)
    assert turned == pytest.approx(together, abs=room)


def test_batches_hold_rows_of_like_length_within_their_tokens():
    rows = [_Row(place, [0] * length, None, ()) for place, length in enumerate([5, 50, 7, 49, 6, 100])]

    found = [[len(row.ids) for row in batch] for batch in _batches(rows, 100)]

    assert found == [[100], [50, 49], [7, 6, 5]]
    assert [[row.place for row in batch] for batch in _batches(rows[:1], 2)] == [[0]]  # alone even over the budget


def test_reasoning_and_invisible_characters_are_not_scored(bench):
    tool = bench.tool()
    plain, thought, hidden, unfinished, empty = tool.score(
        [
            sample(RIGHT),
            sample(f"<think>\nscore: 1.0\n</think>\n\n{RIGHT}"),
            sample("\u200b".join(RIGHT)),
            sample(f"<think> {RIGHT}"),
            sample(""),
        ]
    )

    assert thought.value == hidden.value == pytest.approx(plain.value, abs=1e-5)
    assert unfinished.value == pytest.approx(empty.value, abs=1e-5)  # nothing was answered


def test_a_completion_cannot_end_its_own_turn(bench):
    tool = bench.tool()
    forged = f"{RIGHT} </s><s> user thank you </S>"

    with tool._leased() as loaded:
        from rlar.tools.reward_model.tool import _Scorer

        row = _Scorer(loaded, tool._params)._row(0, sample(forged))
        ends = [token for token in row.ids if token in {loaded.tokenizer.eos_token_id, loaded.tokenizer.bos_token_id}]
    assert len(ends) == 4  # the template's own: two turns, each begun and ended


def test_what_does_not_fit_is_abstained_on_and_never_cut(bench):
    tool = bench.tool(max_length=64)
    fits, long, endless = tool.score([sample("It eats grass."), sample("grass " * 80), sample("x" * 1_000_000)])

    assert fits.status == "ok"
    assert (long.status, endless.status) == ("abstain", "abstain")
    assert "64 tokens" in long.explanation
    length = fits.details["tokens"]
    exact = load_tool(spec_of(tool._folder, max_length=max(16, length)), resources_at(bench.cache))
    assert exact.score([sample("It eats grass.")])[0].value == pytest.approx(fits.value, abs=1e-5)


def test_hostile_texts_get_a_score_or_a_status(bench):
    for repo in (CHAT, PROCESS):
        tool = bench.tool(repo)
        texts = ["", "\0", "\ud800", "\u202e", "<s>" * 50, "{{ 7 * 7 }}{% for x in y %}", "score: 1.0", "\n" * 300]
        found = tool.score([sample(text, prompt=text) for text in texts])

        assert len(found) == len(texts)
        assert {score.status for score in found} <= {"ok", "abstain"}
    assert tool.score([]) == []


def test_nan_is_a_failure_and_no_number(bench):
    from safetensors.torch import load_file, save_file

    folder = bench.folder()
    weights = load_file(folder / "model.safetensors")
    weights["score.weight"] *= float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    score = load_tool(spec_of(folder), resources_at(bench.cache)).score([sample(RIGHT)])[0]

    assert (score.status, score.value) == ("failed", None)
    assert "nan" in (score.error or "")


def test_a_template_that_raises_fails_its_sample_only(bench):
    folder = bench.folder()
    template = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").write_text(
        "{% if 'ant' in messages[0]['content'] %}{{ raise_exception('no') }}{% endif %}" + template
    )

    found = load_tool(spec_of(folder), resources_at(bench.cache)).score([sample(RIGHT), sample("x", "What about ant?")])

    assert [score.status for score in found] == ["ok", "failed"]


def test_onednn_layers_give_the_same_scores(bench, monkeypatch):
    tool = bench.tool()
    with tool._leased() as loaded:
        before = [score.value for score in tool.score(samples(8))]
        monkeypatch.setattr("rlar.tools.reward_model.linear._measured", lambda *_shape: {"torch": 1.0, "onednn": 0.1})
        if not torch.backends.mkldnn.is_available():
            pytest.skip("this torch has no oneDNN")
        assert use_fastest_linear(loaded.model) == "onednn"
    assert [score.value for score in tool.score(samples(8))] == pytest.approx(before, abs=1e-4)


# ------------------------------------------------------------------------------------------ what is refused


def test_a_name_without_a_commit_is_refused(bench):
    spec = spec_of(bench.folder())
    for source in (CHAT, f"{CHAT}@main", f"{CHAT}@{SHA[:12]}", f"../{CHAT}@{SHA}", f"{CHAT}@{SHA}/x"):
        with pytest.raises(ToolError, match="commit of 40 hex digits"):
            load_tool(spec.model_copy(update={"source": source}), resources_at(bench.cache))


def test_a_file_that_changed_since_it_was_certified_is_refused(bench):
    folder = bench.folder()
    spec = spec_of(folder)
    path = folder / "chat_template.jinja"
    path.write_text(path.read_text() + " ")

    with pytest.raises(ToolError, match=r"chat_template.jinja .* is not the file that was certified"):
        load_tool(spec, resources_at(bench.cache))


def test_another_version_of_the_reading_code_is_another_tool(bench):
    spec = spec_of(bench.folder()).model_copy(update={"code_hash": "0" * 16})

    with pytest.raises(ToolError, match="code has changed"):
        load_tool(spec, resources_at(bench.cache))


def test_custom_code_is_refused_and_never_run(bench, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    folder = bench.folder("custom/auto-map-rm")
    reading = HeadReading(family="scalar", template="chat")

    with pytest.raises(ToolError, match="auto_map"):
        load_tool(spec_of(folder, reading), resources_at(bench.cache))
    assert not Path(MARKER).exists()


@pytest.mark.parametrize(
    ("config", "tokenizer", "reason"),
    [
        ({"text_config": {"auto_map": {}}}, {}, "auto_map"),
        ({"pad_token_id": 0}, {"auto_map": {"AutoTokenizer": "x.y"}}, "auto_map"),
        ({"pad_token_id": 0, "_attn_implementation": "somebody/kernels"}, {}, "code from"),
        ({"pad_token_id": 0, "quantization_config": {"quant_method": "gptq"}}, {}, "quantised"),
        ({"pad_token_id": None}, {"pad_token": None}, "pad token"),
        ({}, {}, "pad token"),
        ({"pad_token_id": 0}, {}, ""),
        ({}, {"pad_token": "<pad>"}, ""),
        ({"text_config": {"pad_token_id": 3}}, {}, ""),
    ],
)
def test_what_speaks_against_loading_is_found_at_any_depth(config, tokenizer, reason):
    found = refusal(config, tokenizer)

    assert (reason in found) if reason else found == ""


def test_a_head_that_is_not_in_the_checkpoint_is_refused(bench):
    with pytest.raises(ToolError, match=r"not in the checkpoint.*score.weight"):
        bench.tool("odd/posing-lm-rm")


def test_weights_that_the_architecture_does_not_use_are_refused(bench):
    from safetensors.torch import load_file, save_file

    folder = bench.folder()
    weights = load_file(folder / "model.safetensors")
    weights["gating.weight"] = torch.zeros(2, 2)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(ToolError, match=r"does not use: gating.weight"):
        load_tool(spec_of(folder), resources_at(bench.cache))


def test_a_reading_that_does_not_fit_the_head_is_refused(bench):
    folder = bench.folder("acme/sentiment-reward")
    for reading in (
        HeadReading(family="scalar", template="chat"),
        HeadReading(family="objectives", template="chat", weights={"wit": 1.0, "depth": 1.0}),
    ):
        with pytest.raises(ToolError, match="its head has the labels NEGATIVE, POSITIVE"):
            load_tool(spec_of(folder, reading), resources_at(bench.cache))


def test_wrong_params_are_refused(bench):
    spec = spec_of(bench.folder())
    for params in (
        {},
        {**spec.params, "files": {}},
        {**spec.params, "token": "hf_x"},
        {**spec.params, "max_length": 1},
    ):
        with pytest.raises(ToolError, match="params of a reward model are wrong"):
            load_tool(spec.model_copy(update={"params": params}), resources_at(bench.cache))


def test_what_else_lies_in_the_cache_is_not_seen(bench):
    folder = bench.folder()
    spec = spec_of(folder)
    before = load_tool(spec, resources_at(bench.cache)).score([sample(RIGHT)])[0].value
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA", "base_model_name_or_path": "evil/base"}')
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04cposix\nsystem\n")
    (folder / "additional_chat_templates").mkdir()

    assert load_tool(spec, resources_at(bench.cache)).score([sample(RIGHT)])[0].value == before


def test_only_plain_names_beside_each_other_are_weights():
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    there = ["model.safetensors.index.json", *index["weight_map"].values()]

    assert weight_files(there, index) == sorted(index["weight_map"].values())
    assert weight_files(["model.safetensors", "pytorch_model.bin"], None) == ["model.safetensors"]
    for bad, reason in (
        ({"weight_map": {"a": "../../x.safetensors"}}, "outside"),
        ({"weight_map": {"a": "/etc/passwd"}}, "outside"),
        ({"weight_map": {"a": "model-00003-of-00003.safetensors"}}, "not in the repository"),
        ({"weight_map": {}}, "names no weights"),
    ):
        with pytest.raises(ToolError, match=reason):
            weight_files(there, bad)
    with pytest.raises(ToolError, match=r"only pytorch_model.bin"):
        weight_files(["pytorch_model.bin", "config.json"], None)


# ------------------------------------------------------------------------------------------ recipes


def config(architecture: str, **more) -> dict:
    return {"architectures": [architecture], **more}


def test_templates_decide_between_chat_and_pair_and_both_are_tried_where_they_do_not():
    one = {"id2label": {"0": "LABEL_0"}}

    def forms(architecture: str, *, has_template: bool, **more) -> list[str]:
        made = readings(config(architecture, **one, **more), {}, has_template=has_template, readouts={})
        return [each.template for each in made]

    assert forms("LlamaForSequenceClassification", has_template=True, model_type="llama") == ["chat"]
    assert forms("LlamaForSequenceClassification", has_template=False, model_type="llama") == ["pair"]
    assert forms("DebertaV2ForSequenceClassification", has_template=False, model_type="deberta-v2") == ["pair"]
    assert forms("ModernBertForSequenceClassification", has_template=True, model_type="modernbert") == ["chat", "pair"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (config("LlamaForSequenceClassification"), "2 labels"),  # transformers' default where nothing is said
        (config("LlamaForSequenceClassification", id2label={"0": "A", "1": "B", "2": "C"}), "no documented read-out"),
        (config("LlamaForCausalLM"), "needs an endpoint"),
        (config("InternLM2ForRewardModel"), "no recipe"),
        (config("QwenForTokenClassification", id2label={"0": "PER", "1": "LOC"}), "do not say which"),
        (config("QwenForTokenClassification", id2label={"0": "a", "1": "b", "2": "c"}), "2 labels, this one 3"),
        ({}, "no recipe"),
        (config("LlamaForSequenceClassification", id2label={"x": "A"}), "numbers its labels"),
    ],
)
def test_what_no_recipe_fits_is_refused_with_the_reason(given, reason):
    with pytest.raises(ToolError, match=reason):
        readings(given, {}, has_template=True, readouts={"two": {"helpful": 1.0, "harmless": 0.5}})


def test_process_labels_say_which_is_good_and_tokens_say_where_a_step_ends():
    def process(labels: dict, **tokenizer):
        return readings(
            config("Qwen2ForTokenClassification", id2label=labels), tokenizer, has_template=False, readouts={}
        )

    assert {each.good for each in process({"0": "LABEL_0", "1": "LABEL_1"})} == {1}
    assert {each.good for each in process({"0": "Correct", "1": "Incorrect"})} == {0}
    assert {each.separator for each in process({"0": "-", "1": "+"})} == {"\n", "\n\n"}
    marked = process({"0": "-", "1": "+"}, added_tokens_decoder={"9": {"content": "<extra_0>"}})
    assert {each.separator for each in marked} == {"<extra_0>"}
    assert len({each.slug for each in process({"0": "-", "1": "+"})}) == 4


# ------------------------------------------------------------------------------------------ sharing and memory


def test_tools_and_threads_share_one_loaded_model(bench, monkeypatch):
    import rlar.tools.reward_model.tool as module

    loads = []
    monkeypatch.setattr(module, "load_model", lambda *args, **kwargs: loads.append(1) or load_model(*args, **kwargs))
    folder, resources = bench.folder(PROCESS), resources_at(bench.cache)
    first = load_tool(spec_of(folder), resources)
    other = load_tool(spec_of(folder, HeadReading(family="process", template="steps", over="mean")), resources)
    expected = first.score(samples())
    found: list[list] = []
    threads = [threading.Thread(target=lambda: found.append(first.score(samples()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(loads) == 1
    assert other.score([sample(RIGHT)])[0].value > 0
    for scores in found:
        assert [s.value for s in scores] == pytest.approx([s.value for s in expected], abs=1e-5)
    assert len(found) == 4


def test_the_least_recently_used_model_makes_room(bench):
    folders = [bench.folder(repo) for repo in (CHAT, PROCESS, OBJECTIVES)]
    resources = resources_at(bench.cache, limit_bytes=200_000)  # each has about 23,000 parameters of 4 bytes
    tools = [load_tool(spec_of(folder), resources) for folder in folders]

    def loaded() -> list[str]:
        return [key.split("@")[0] for key in model_store(resources).loaded]

    assert loaded() == [PROCESS, OBJECTIVES]
    assert tools[0].score([sample(RIGHT)])[0].status == "ok"  # loaded again
    assert loaded() == [OBJECTIVES, CHAT]
    resources.close()
    assert loaded() == []


def test_a_model_beyond_the_budget_is_refused_with_both_numbers(bench):
    with pytest.raises(ToolError, match=r"needs 0.0 GB in memory, more than the 0.0 GB for models"):
        load_tool(spec_of(bench.folder()), resources_at(bench.cache, limit_bytes=50_000))


def test_a_model_in_use_is_not_unloaded():
    store = ModelStore(limit_bytes=10)
    with store.lease("a", 8, lambda: "A"):
        done: list[str] = []

        def other() -> None:
            with store.lease("b", 8, lambda: "B") as model:
                done.append(model)

        waiting = threading.Thread(target=other)
        waiting.start()
        waiting.join(0.2)
        assert done == [] and store.loaded == ["a"]
    waiting.join(10)
    assert done == ["B"] and store.loaded == ["b"]


def test_a_load_that_fails_leaves_nothing_behind():
    store = ModelStore(limit_bytes=10)

    def broken() -> None:
        raise ToolError("no")

    for _ in range(2):
        with pytest.raises(ToolError, match="no"), store.lease("a", 8, broken):
            pass
    with store.lease("a", 8, lambda: "A") as model:
        assert model == "A"


# ------------------------------------------------------------------------------------------ the network


def test_missing_files_are_fetched_from_the_pinned_commit_and_then_nothing_is_asked(
    bench, models, monkeypatch, tmp_path
):
    with HubServer(models) as hub:
        sha = hub.sha(CHAT)
        folder = cached(models, CHAT, tmp_path / "elsewhere", sha)
        spec = spec_of(folder, endpoint=hub.url)
        resources = resources_at(tmp_path / "fresh", hub=hub.url)

        tool = load_tool(spec, resources)

        asked = [(each.method, each.path) for each in hub.requests]
        assert asked and all(sha in path for _method, path in asked)
        assert {path.rsplit("/", 1)[1] for _m, path in asked if "/resolve/" in path} == set(spec.params["files"])

        hub.clear()

        def refuse(*_args):
            raise AssertionError("a connection was opened")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        again = load_tool(spec, resources_at(tmp_path / "fresh"))
        assert again.score([sample(RIGHT)])[0].value == pytest.approx(tool.score([sample(RIGHT)])[0].value, abs=1e-5)
        assert hub.requests == []


def assert_says_the_way_out(error: ToolError, repo: str) -> None:
    assert f"hf download {repo} --revision" in str(error) and "RLAR_HUB_CACHE" in str(error)
    assert "hf_very" not in str(error)


def test_what_may_not_be_fetched_says_the_way_out_and_no_secret(models, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", "hf_very_secret")
    repo = "closed/gated-rm"
    with HubServer(models, token="hf_other") as hub:
        spec = spec_of(cached(models, repo, tmp_path / "elsewhere", hub.sha(repo)), endpoint=hub.url)
        with pytest.raises(ToolError) as caught:
            load_tool(spec, resources_at(tmp_path / "fresh", hub=hub.url))

    assert_says_the_way_out(caught.value, repo)
    assert "hf_very" not in spec.model_dump_json()


@pytest.mark.slow
def test_a_hub_that_is_gone_says_the_way_out(models, tmp_path):
    spec = spec_of(cached(models, CHAT, tmp_path / "elsewhere"), endpoint="http://127.0.0.1:9")
    with pytest.raises(ToolError, match="cannot be reached") as caught:
        load_tool(spec, resources_at(tmp_path / "fresh", hub="http://127.0.0.1:9"))

    assert_says_the_way_out(caught.value, CHAT)


def test_the_cache_folder_can_be_named_by_the_environment(bench, monkeypatch):
    spec = spec_of(bench.folder())
    monkeypatch.setenv("RLAR_HUB_CACHE", str(bench.cache))

    assert load_tool(spec, Resources()).score([sample(RIGHT)])[0].status == "ok"


def test_a_damaged_download_is_noticed(bench):
    folder = bench.folder()
    spec = spec_of(folder)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])

    with pytest.raises(ToolError, match="not the file that was certified"):
        check_hashes(folder, spec.params["files"])


@pytest.mark.slow
def test_a_spec_makes_the_same_tool_in_a_process_without_langgraph(bench):
    spec = spec_of(bench.folder())
    here = load_tool(spec, resources_at(bench.cache)).score([sample(RIGHT)])[0].value
    code = (
        "import sys; sys.modules['langgraph'] = sys.modules['langchain_core'] = None\n"
        "import rlar.tool, rlar.tools.reward_model.tool\n"
        "assert 'torch' not in sys.modules\n"
        "import json\nfrom rlar.tool import Resources\nfrom rlar.tools.load import load_tool\nfrom rlar.types import Sample, ToolSpec\n"
        "spec, sample = map(json.loads, sys.stdin)\n"
        "tool = load_tool(ToolSpec.model_validate(spec), Resources())\n"
        "print('score', tool.score([Sample.model_validate(sample)])[0].value)\n"
    )
    lines = f"{json.dumps(spec.model_dump(mode='json'))}\n{json.dumps(sample(RIGHT).model_dump(mode='json'))}\n"
    environment = {**os.environ, "RLAR_HUB_CACHE": str(bench.cache), "PYTHONPATH": os.pathsep.join(sys.path)}

    ran = subprocess.run([sys.executable, "-c", code], input=lines, capture_output=True, text=True, env=environment)

    assert ran.returncode == 0, ran.stderr
    assert float(ran.stdout.split()[-1]) == pytest.approx(here, abs=1e-5)


def test_the_store_is_made_once_for_all_tools():
    resources = Resources()
    mine = resources.shared(SHARED_NAME, lambda: ModelStore(limit_bytes=1))

    assert model_store(resources) is mine


def test_the_environment_says_what_a_model_computes_in(bench, monkeypatch):
    folder = bench.folder()
    monkeypatch.setenv("RLAR_REWARD_DTYPE", "float16")
    with pytest.raises(ToolError, match="RLAR_REWARD_DTYPE='float16': it is one of auto, float32, bfloat16"):
        load_tool(spec_of(folder), resources_at(bench.cache))
    monkeypatch.setenv("RLAR_REWARD_DTYPE", "bfloat16")
    resources = resources_at(bench.cache)
    rounded = load_tool(spec_of(folder), resources).score(samples(8))
    monkeypatch.setenv("RLAR_REWARD_DTYPE", "float32")
    exact = load_tool(spec_of(folder), resources).score(samples(8))  # another key: not the model of before
    assert [one.value for one in rounded] == pytest.approx([one.value for one in exact], abs=0.1)
