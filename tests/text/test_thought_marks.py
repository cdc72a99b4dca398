"""A policy's chat template declares the marks of its thoughts."""

from __future__ import annotations

import pytest

from rlar.answered import answered
from rlar.text.chat import ThoughtMarks, thought_marks

jinja2 = pytest.importorskip("jinja2")

SHOWS = (
    "{% for m in messages %}[{{ m.role }}] {% if m.reasoning_content %}OPEN\n{{ m.reasoning_content }}\nCLOSE\n\n{% endif %}"
    "{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}"
)
CUTS = (
    "{% for m in messages %}[{{ m.role }}] {{ m.content.split('CLOSE')[-1] }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant] OPEN\n{% endif %}"
)
PLAIN = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"


def marks_of(template: str, opening: str, closing: str) -> ThoughtMarks | None:
    template = template.replace("OPEN", opening).replace("CLOSE", closing)
    compiled = jinja2.Environment().from_string(template)
    return thought_marks(template, lambda turns, opens: compiled.render(messages=turns, add_generation_prompt=opens))


@pytest.mark.parametrize(
    ("opening", "closing"),
    [("<ponder>", "</ponder>"), ("[MULL]", "[/MULL]"), ("◁muse▷", "◁/muse▷"), ("<think>", "</think>")],
)
@pytest.mark.parametrize(("template", "is_opened"), [(SHOWS, False), (CUTS, True)])
def test_marks_are_read_from_what_the_template_shows_or_cuts(
    template: str, is_opened: bool, opening: str, closing: str
) -> None:
    marks = marks_of(template, opening, closing)
    assert marks == (opening, closing, is_opened)
    assert answered(marks.spelled(f"{opening}is it 17?{closing}18")).text == "18"
    assert answered(marks.spelled(f"is it 17?\n{closing}\n18")).text == "18"
    unfinished = answered(marks.spelled("is it 17?"))
    assert bool(unfinished.missing) is is_opened, "a thought that the prompt opened and nothing closed is no answer"


def test_a_template_without_thoughts_declares_none() -> None:
    assert marks_of(PLAIN, "", "") is None
