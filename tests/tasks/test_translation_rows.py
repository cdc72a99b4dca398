"""Translations are recognised by what the languages say, in wordings of many kinds."""

from __future__ import annotations

import pytest

from rlar.kinds.translation.rows import find_translation

ENGLISH = "The old bridge was closed for repairs last winter."
GERMAN = "Die alte Brücke war im letzten Winter wegen Reparaturen gesperrt."
FRENCH = "Le vieux pont a été fermé pour des réparations l'hiver dernier."


@pytest.mark.parametrize(
    "prompt",
    [
        f"Translate into German: {ENGLISH}",
        f"Translate the following English text into German:\n\n{ENGLISH}",
        f"{ENGLISH}\n\nTranslate this from English to German.",
        f'How do you say "{ENGLISH}" in German?',
        f"English: {ENGLISH}\nGerman:",
        f"Provide a German translation of the text below. Give only the translation.\n\n{ENGLISH}",
        f"Übersetze den folgenden Satz ins Deutsche:\n{ENGLISH}",
        f"Traduis en allemand : {ENGLISH}",
        f"Переведи на немецкий язык:\n\n{ENGLISH}",
        f"把下面的句子翻译成德语：\n{ENGLISH}",
        f"German please:\n\n{ENGLISH}",
        ENGLISH,
    ],
)
def test_target_and_source_in_many_wordings(prompt: str) -> None:
    found = find_translation(prompt, GERMAN)
    assert found is not None
    assert (found.target_language, found.source_language or "en") == ("de", "en")
    assert found.confidence >= 0.8
    assert found.source.strip('"') == ENGLISH


def test_the_direction_is_read_from_the_row_not_from_the_first_language_named() -> None:
    back = find_translation(f"Translate from German to English.\n\n{GERMAN}", ENGLISH)
    assert back is not None and (back.source_language, back.target_language) == ("de", "en")


def test_without_a_reference_the_prompt_must_ask() -> None:
    asked = find_translation(f"Please translate into French.\n\n{ENGLISH}", None)
    assert asked is not None and (asked.target_language, asked.source) == ("fr", ENGLISH)
    assert find_translation(ENGLISH, None) is None
    assert find_translation("Who translated the Iliad into English?", None) is None


@pytest.mark.parametrize(
    ("prompt", "reference"),
    [
        (
            "Translate this legalese into plain English: the party of the first part shall pay the other party.",
            "The first party must pay the other party.",
        ),
        (
            "Why is the sky blue? Please explain it to me in a few short sentences.",
            "Because air scatters blue light more than red light, so it reaches us from everywhere.",
        ),
        ("What is the capital of France?", "Paris"),
        (
            "Rewrite politely: give me the keys to the car right now, I am late.",
            "Could you please give me the car keys? I am running late.",
        ),
    ],
)
def test_answers_in_the_same_language_are_no_translations(prompt: str, reference: str) -> None:
    assert find_translation(prompt, reference) is None


def test_a_long_answer_in_another_language_is_no_translation() -> None:
    assert (
        find_translation(
            "Warum ist der Himmel blau?",
            "Because air scatters the blue part of sunlight far more than the red part. " * 4,
        )
        is None
    )


def test_an_untranslated_reference_is_not_believed() -> None:
    found = find_translation(f"Translate from English into French.\n\n{ENGLISH}", ENGLISH)
    assert found is None or found.confidence <= 0.5


def test_worked_examples_before_the_text_do_not_become_the_source() -> None:
    prompt = f"English: Good morning to you all.\nFrench: Bonjour à tous.\n\nEnglish: {ENGLISH}\nFrench:"
    found = find_translation(prompt, FRENCH)
    assert found is not None and (found.source, found.target_language) == (ENGLISH, "fr")
