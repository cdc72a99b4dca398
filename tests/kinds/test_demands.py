"""Translations and summaries whose prompt demands more than being one: checked, or known as unread."""

from __future__ import annotations

import pytest

from rlar.kinds.prose.demands import read_demands
from rlar.kinds.translation.verify import TranslationQuality
from rlar.tool import Resources
from rlar.tools.library import library_spec
from rlar.types import Sample

SOURCE = (
    "Your parcel number {parcel} will arrive on Friday between 9 and 11; please have <b>cash</b> ready for our driver."
)
GERMAN = "Ihr Paket Nummer {parcel} kommt am Freitag zwischen 9 und 11 Uhr; bitte halten Sie <b>Bargeld</b> für unseren Fahrer bereit."
ARTICLE = (
    "The museum in Lund reopened on Sunday after two years of repairs. The roof had leaked and damaged four paintings, which "
    "have been restored in Oslo. Entry is free until the end of May, and the new cafe is run by a group of students from the town. "
    "The director said that she expects 90,000 visitors this year, more than ever before."
)
SUMMARY = "The repaired museum in Lund is open again, with free entry until the end of May."


def translated(scored, ask, completion, reference=GERMAN):
    binding = {"source": SOURCE, "source_language": "en", "target_language": "de"}
    return scored("translation", completion, reference, prompt=f"{ask}\n\n{SOURCE}", **binding)


def summed_up(scored, ask, completion, reference=SUMMARY):
    return scored("summary", completion, reference, prompt=f"{ask}\n\n{ARTICLE}", passage=ARTICLE)


@pytest.mark.parametrize(
    "ask",
    [
        "Translate into German, formally:",
        "Translate into German in an informal tone.",
        "Translate this to German for a ten-year-old.",
        "Translate into German; use slang.",
        "Übersetze ins Deutsche, in höflicher Form:",
        "Translate into German, word for word.",
    ],
)
def test_a_translation_with_a_style_demand_is_not_decided_by_overlap(scored, ask):
    for completion in (GERMAN, GERMAN.replace("Ihr", "Dein").replace("halten Sie", "halte")):
        score = translated(scored, ask, completion)
        assert score.status == "abstain" and score.explanation.startswith("unread") and score.details["unread"]
    # What is no translation in any style needs no reader.
    assert translated(scored, ask, "").value == 0.0
    assert translated(scored, ask, SOURCE).value == 0.0


@pytest.mark.parametrize(
    "ask",
    [
        "Translate into German:",
        "Please give a natural and accurate German translation of the following text.",
        "You are a professional translator. Translate the message below into German.",
        "Übersetze die folgende Nachricht ins Deutsche:",
    ],
)
def test_a_plain_ask_demands_nothing_else(scored, ask):
    assert translated(scored, ask, GERMAN).value == pytest.approx(1.0)


def test_words_of_the_source_are_no_demands():
    text = "Please write in a formal tone, in at most 20 words, and keep the tags unchanged."
    assert read_demands(f"Translate into German:\n\n{text}", text) == ((), (), False)


@pytest.mark.parametrize(
    "ask",
    [
        "Translate into German. Keep the placeholders as they are.",
        "Translate into German, leave all tags and placeholders untouched.",
        "Translate into German. Do not translate placeholders or HTML tags.",
        "Translate into German; placeholders must stay unchanged.",
    ],
)
def test_placeholders_that_are_to_be_kept_must_be_there(scored, ask):
    assert translated(scored, ask, GERMAN).value == pytest.approx(1.0)
    for lost in (GERMAN.replace("{parcel}", "{Paket}"), GERMAN.replace("<b>", "").replace("</b>", "")):
        score = translated(scored, ask, lost)
        assert score.value is not None and score.value <= 0.4 and score.explanation.startswith("does not meet 'keep")
        assert translated(scored, "Translate into German:", lost).value > 0.7


def test_a_length_that_is_demanded_is_checked(scored):
    ask = "Summarise the following article in at most 20 words."
    longer = f"{SUMMARY[:-1]}, says the director of the museum, who expects 90,000 visitors this year."
    assert summed_up(scored, ask, SUMMARY).value == pytest.approx(1.0)
    score = summed_up(scored, ask, longer)
    assert 0 < score.value <= 0.4 and "does not meet" in score.explanation
    assert summed_up(scored, "Summarise the following article.", longer).value > 0.5


def test_a_demand_that_the_reference_misses_decides_nothing(scored):
    ask = "Summarise the following article in at most 5 words."
    assert summed_up(scored, ask, SUMMARY).value == pytest.approx(1.0)


def test_a_summary_for_a_reader_nobody_can_check_is_abstained_on(scored):
    assert summed_up(scored, "Summarise the article below for children.", SUMMARY).status == "abstain"


def test_a_part_of_the_credit_is_given_where_the_user_says_so():
    tool = TranslationQuality(library_spec("translation", {"partial": "flag"}), Resources())
    prompt = f"Translate into German, formally:\n\n{SOURCE}"
    binding = {"source": SOURCE, "target_language": "de"}
    [score] = tool.score(
        [Sample(prompt=prompt, completion=GERMAN, reference=GERMAN, references=(GERMAN,), binding=binding)]
    )
    assert score.value == pytest.approx(1.0) and score.details["unread"] == ["formally"]
