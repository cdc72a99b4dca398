"""Short answers that are names with initials, dates of several languages, and two names for one answer."""

from __future__ import annotations

import pytest

from tests.kinds.conftest import Scored

SAME = [("Anna Maria Louisa Keller", "A.M.L. Keller"), ("Anna Maria Louisa Keller", "It was A. M. L. Keller."), ("A. M. Keller", "Anna Maria Keller"), ("Anna Keller", "Anna B. Keller"),
        ("3 May 1911", "3. Mai 1911"), ("3 May 1911", "le 3 mai 1911"), ("3 May 1911", "el 3 de mayo de 1911"), ("3 May 1911", "03.05.1911"), ("3 May 1911", "3 maggio 1911")]  # fmt: skip
OTHER = [
    ("Anna Maria Louisa Keller", "A.B.L. Keller"),
    ("Anna Keller", "Berta Keller"),
    ("3 May 1911", "4. Mai 1911"),
    ("3 May 1911", "03.06.1911"),
]
OPEN = [
    ("Anna Keller", "A. Keller"),
    ("Anna B. Keller", "Anna Keller"),
    ("3 May 1911", "5/3/1911"),
    ("Bern", "Bern, Basel"),
    ("Bern", "Basel, Bern"),
]


@pytest.mark.parametrize(("reference", "completion"), SAME)
def test_other_spellings_of_a_name_or_a_date_are_the_same(scored: Scored, reference: str, completion: str) -> None:
    assert scored("short_text", completion, reference).value == 1.0


@pytest.mark.parametrize(("reference", "completion"), OTHER)
def test_another_initial_or_day_is_another_answer(scored: Scored, reference: str, completion: str) -> None:
    assert scored("short_text", completion, reference).value == 0.0


@pytest.mark.parametrize(("reference", "completion"), OPEN)
def test_what_may_be_another_gets_no_number(scored: Scored, reference: str, completion: str) -> None:
    assert scored("short_text", completion, reference).status == "abstain"
