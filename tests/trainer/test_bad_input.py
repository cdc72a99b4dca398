"""What a user can get wrong about `rlar train`: one line that names the thing and the way out, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from rlar.cli import app
from rlar.errors import ConfigError
from rlar.registry import migrations
from rlar.registry.registry import Registry
from rlar.tools.library import library_spec
from rlar.trainer.model.policy import Policy, load_policy
from rlar.types import Calibration, Certificate, CheckResult, Example, Message, Recipe, TaskSpec
from tests.fakes.small_policies import character_tokenizer
from tests.fakes.training_fakes import CONTRACT, run, small_config, small_policy

TOOL = library_spec("number")


@pytest.fixture
def covered(tmp_path: Path) -> Path:
    """A folder with a registry that covers a task, so that what is tried gets past it."""
    with Registry.open(tmp_path / "registry.db", create=True) as registry:
        registry.put_outcome(
            TaskSpec(fingerprint="f1-a", label="task a", contract=CONTRACT),
            tools=[TOOL],
            certificates=[
                Certificate(
                    tool_id=TOOL.id, fingerprint="f1-a", admitted=True, role="verifier", calibration=Calibration(),
                    checks=(CheckResult(name="oracle", passed=True, value=1.0),),
                )
            ],
            recipe=Recipe(fingerprint="f1-a", qualities=((TOOL.id, 1.0),)),
        )  # fmt: skip
    return tmp_path


def saved(folder: Path, *, tokenizer=None, change: Callable[[Policy], None] = lambda made: None) -> str:
    made = small_policy()
    change(made)
    made.model.save_pretrained(folder)
    (tokenizer or made.tokenizer).save_pretrained(folder)
    return str(folder)


def train(folder: Path, *, dataset: str = "rows.jsonl", text: str | None = '{"prompt": "a1="}\n', model: str) -> str:
    """What `rlar train` says on stderr, without the progress of loading; it must end with an error of ours."""
    if text is not None:
        (folder / dataset).write_text(text)
    config = folder / "train.toml"
    config.write_text(
        f'dataset = ["{folder / dataset}"]\nregistry = "{folder / "registry.db"}"\noutput = "{folder / "run"}"\n'
        f'max_new_tokens = 8\nsteps = 1\nprompts_per_step = 2\ntensorboard = false\n[model]\nname = "{model}"\n'
        'linear = "torch"\n'
    )
    result = CliRunner().invoke(app, ["train", "--config", str(config)])
    assert result.exit_code in (1, 2), (result.exit_code, result.output)
    assert isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return " ".join(result.stderr.split("error: ", 1)[1].split())


# ------------------------------------------------------------------------------------------ models and tokenizers


def test_a_tokenizer_of_another_model(covered: Path):
    tokenizer = character_tokenizer()
    tokenizer.add_tokens(["<one>", "<two>"])
    said = train(covered, model=saved(covered / "model", tokenizer=tokenizer))
    assert "the tokenizer has 56 tokens and the model 54: they do not belong together; take the model's own" in said


def test_a_model_without_a_tokenizer(covered: Path):
    small_policy().model.save_pretrained(covered / "model")
    said = train(covered, model=str(covered / "model"))
    assert (
        f"{covered / 'model'} has no tokenizer: put the files of the model's own tokenizer beside its weights" in said
    )


def test_a_model_that_writes_no_text(covered: Path):
    from transformers import BertConfig, BertModel

    bert = BertModel(BertConfig(vocab_size=60, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16))  # fmt: skip
    bert.save_pretrained(covered / "model")
    character_tokenizer().save_pretrained(covered / "model")
    said = train(covered, model=str(covered / "model"))
    assert "model is not a complete causal language model: " in said and "weights are missing" in said


def test_a_model_whose_weights_are_not_finite(covered: Path):
    def spoil(made: Policy) -> None:
        with torch.no_grad():
            made.model.model.norm.weight[0] = float("nan")

    said = train(covered, model=saved(covered / "model", change=spoil))
    assert "weights that are not finite, e.g. model.norm.weight; take an earlier checkpoint" in said


def test_a_model_that_is_not_there(covered: Path):
    assert "/nowhere': no such folder" in train(covered, model=str(covered / "nowhere"))


def test_a_chat_template_that_refuses_the_turns_names_the_row():
    made = small_policy()
    made.tokenizer.chat_template = "{{ raise_exception('no system turns') }}"
    turns = (Message(role="system", content="be brief"), Message(role="user", content="1+1="))
    with pytest.raises(
        ConfigError, match=r"cannot render r7 \(x\.jsonl:7, turns: system, user\): no system turns; change"
    ):
        made.encode_prompt(Example(id="r7", prompt=turns, origin="x.jsonl:7"))


def test_neither_a_chat_template_nor_a_pad_token_is_needed(tmp_path: Path):
    tokenizer = character_tokenizer()
    tokenizer.pad_token = None
    assert tokenizer.chat_template is None
    made = load_policy(saved(tmp_path / "model", tokenizer=tokenizer), linear="torch")
    _, summary = run(small_config(tmp_path, steps=2, eval_every=0), made=made)
    assert summary["steps"] == 2


# ------------------------------------------------------------------------------------------ registries


def test_a_registry_of_a_newer_rlar(covered: Path, monkeypatch: pytest.MonkeyPatch):
    known = migrations.known_version()
    monkeypatch.setattr(migrations, "known_version", lambda: known - 1)  # this rlar is one schema behind
    said = train(covered, model=saved(covered / "model"))
    assert f"schema {known}, newer than this rlar's {known - 1}; upgrade with `pip install -U rlar`" in said


def test_no_registry_and_an_empty_one(tmp_path: Path):
    said = train(tmp_path, model=saved(tmp_path / "model"))
    assert "no registry at " in said and "rlar agent build-tools --dataset" in said
    Registry.open(tmp_path / "registry.db", create=True).close()
    assert "covers no task; `rlar tasks list --registry" in train(tmp_path, model=str(tmp_path / "model"))


# ------------------------------------------------------------------------------------------ datasets


def test_a_dataset_that_is_not_there_is_told_before_a_model_is_loaded(covered: Path):
    assert train(covered, dataset="none.jsonl", text=None, model="none/of-this").endswith("none.jsonl: no such file")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", "rows.jsonl is empty"), ("\n\n", "no rows"), ("not json\n", "rows.jsonl:1: broken JSON")],
)
def test_a_dataset_without_rows(covered: Path, text: str, expected: str):
    assert expected in train(covered, text=text, model=saved(covered / "model"))


def test_a_dataset_of_unknown_rows_only_names_the_command_that_helps(covered: Path):
    rows = "".join(json.dumps({"prompt": f"tell a story about {name}"}) + "\n" for name in ("foxes", "bears"))
    said = train(covered, text=rows, model=saved(covered / "model"))
    assert "no row to train on (2 unknown); build their tools with `rlar agent build-tools --dataset" in said


def test_prompts_that_do_not_fit_say_how_long_they_may_be(tmp_path: Path):
    from tests.fakes.training_fakes import write_rows

    dataset = write_rows(tmp_path / "long.jsonl", ["a" * 57])
    with pytest.raises(Exception, match=r"1 too_long\); prompts may have 56 tokens: lower max_new_tokens or raise"):
        run(small_config(tmp_path, dataset=(dataset,)))


def test_no_dataset_at_all():
    result = CliRunner().invoke(app, ["train"])
    assert result.exit_code == 2 and "dataset" in result.stderr and "--dataset" in result.stderr
