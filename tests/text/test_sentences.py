"""Where sentences end."""

import random

from rlar.text.sentences import _SENTENCE_END, pieces

_PARTS = ("ab", "a", "B", ".", "!", "?", " ", "  ", "\n", "\t", "5", ")", "*", "$", "May 2020", "Dr", "e.g")


def test_texts_without_wide_signs_have_the_same_ends_by_either_pattern():
    rng = random.Random(4)
    plain, wide = _SENTENCE_END
    for _ in range(2000):
        text = "".join(rng.choices(_PARTS, k=rng.randrange(14)))
        assert [end.span() for end in plain.finditer(text)] == [end.span() for end in wide.finditer(text)], text


def test_a_sentence_ends_before_a_capital_a_line_and_after_a_wide_full_stop():
    assert pieces("It is here. Dr. Who asks. see b\nno") == ["It is here.", "Dr. Who asks. see b", "no"]
    assert pieces("是的。不是！ Yes.") == ["是的。", "不是！", " Yes."]
