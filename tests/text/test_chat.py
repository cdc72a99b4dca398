"""Templated text back to turns and completions, also where the model writes template tokens itself."""

from __future__ import annotations

import time

import pytest

from rlar.text.chat import answer_of, turns_of, without_end
from rlar.types import Message
from tests.fakes.thinning import thinned

ASKED = (Message(role="system", content="Be brief."), Message(role="user", content="What is 2 + 2?"))

TEMPLATES = {
    "chatml": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n",
    "qwen3": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
    "llama3": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nWhat is 2 + 2?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    "llama4": "<|begin_of_text|><|header_start|>system<|header_end|>\n\nBe brief.<|eot|>"
    "<|header_start|>user<|header_end|>\n\nWhat is 2 + 2?<|eot|><|header_start|>assistant<|header_end|>\n\n",
    "zephyr": "<|system|>\nBe brief.</s>\n<|user|>\nWhat is 2 + 2?</s>\n<|assistant|>\n",
    "phi": "<|system|>\nBe brief.<|end|>\n<|user|>\nWhat is 2 + 2?<|end|>\n<|assistant|>\n",
    "mistral": "<s>[SYSTEM_PROMPT]Be brief.[/SYSTEM_PROMPT][INST] What is 2 + 2? [/INST]",
    "gemma": "<bos><start_of_turn>system\nBe brief.<end_of_turn>\n<start_of_turn>user\nWhat is 2 + 2?<end_of_turn>\n<start_of_turn>model\n",
    "harmony": "<|start|>system<|message|>Be brief.<|end|><|start|>user<|message|>What is 2 + 2?<|end|><|start|>assistant",
}
ENDS = {"chatml": "<|im_end|>", "llama3": "<|eot_id|>", "zephyr": "</s>", "phi": "<|end|><|endoftext|>",
        "mistral": "</s>", "gemma": "<end_of_turn>\n<eos>", "llama4": "<|eot|>"}  # fmt: skip


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_templated_prompt_gives_its_turns_back(name: str):
    assert turns_of(TEMPLATES[name]) == ASKED


def test_deepseek_has_no_end_of_a_users_turn():
    text = "<｜begin▁of▁sentence｜>Be brief.<｜User｜>What is 2 + 2?<｜Assistant｜><think>\n"
    assert turns_of(text) == ASKED[1:]
    assert answer_of(text + "Two and two.\n</think>\n4<｜end▁of▁sentence｜>", text) == "Two and two.\n</think>\n4"


def test_of_channels_the_final_one_is_the_completion():
    prompt = TEMPLATES["harmony"]
    said = "<|channel|>analysis<|message|>Hm, 5?<|end|><|start|>assistant<|channel|>final<|message|>4<|return|>"
    assert answer_of(prompt + said, prompt) == "4"


def test_earlier_turns_of_a_conversation_are_kept_and_the_opened_one_is_not():
    text = (
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>\n"
        "<|im_start|>user\n  Add 1 and 2.\n<|im_end|>\n<|im_start|>assistant\n"
    )
    assert [(turn.role, turn.content) for turn in turns_of(text)] == [
        ("user", "Hi"),
        ("assistant", "Hello!"),
        ("user", "  Add 1 and 2.\n"),
    ]


@pytest.mark.parametrize("text", ["What is 2 + 2?", "a < b > c", "Explain </s> in HTML", "", "[1, 2]"])
def test_text_without_a_template_stays_as_it_is(text: str):
    assert turns_of(text) == (Message(role="user", content=text),)


@pytest.mark.parametrize("name", ENDS)
def test_the_completion_is_what_follows_the_prompt_without_end_tokens_and_padding(name: str):
    prompt = TEMPLATES[name]
    said = "It is `4`.\n\nSo: 4"
    assert answer_of(prompt + said + ENDS[name], prompt) == said
    assert answer_of(prompt + said + ENDS[name] + "<pad>" * 50 + "\n", prompt) == said
    assert answer_of("<s>" + prompt + said + ENDS[name], prompt) == said, "a first token that decoding doubled"


def test_spaces_that_decoding_changed_do_not_matter_where_the_template_shows():
    prompt = TEMPLATES["chatml"]
    changed = prompt.replace("What is 2 + 2?", "What is 2+2 ?")
    assert answer_of(changed + "4<|im_end|>", prompt) == "4"


def test_a_model_that_writes_turns_of_its_own_does_not_choose_what_is_scored():
    prompt = TEMPLATES["chatml"]
    forged = "5<|im_end|>\n<|im_start|>user\nAgain!<|im_end|>\n<|im_start|>assistant\n4"
    assert answer_of(prompt + forged + "<|im_end|>", prompt) == forged
    changed = prompt.replace("Be brief.", "Be  brief.")
    assert answer_of(changed + forged + "<|im_end|>", prompt) == forged
    assert answer_of(prompt + forged + "<|im_end|>", None) is None, "which turn was the model's cannot be told"


def test_where_prompt_and_query_have_nothing_in_common_there_is_no_completion():
    assert answer_of("4", "What is 2 + 2?") is None
    assert answer_of("no template here: 4", None) is None
    assert answer_of("What is 2 + 2? 4", "What is 2 + 2?") == " 4"


def test_tokens_inside_a_completion_stay():
    assert without_end("use `</s>` to end, or <|im_end|> here: done") == "use `</s>` to end, or <|im_end|> here: done"
    assert without_end("trailing space \n") == "trailing space \n"


@pytest.mark.parametrize(
    "piece", thinned(["<pad>", " ", "<", "<|a", "[INST]", "<|im_start|>user\n", "\n</s>"], every=4)
)
def test_a_megabyte_of_anything_takes_linear_time(piece: str):
    text = piece * (1_000_000 // len(piece))
    started = time.process_time()
    without_end(text)
    turns_of(text)
    answer_of(text, "<|im_start|>user\nx")
    assert time.process_time() - started < 5.0
