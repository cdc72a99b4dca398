"""Every promise of SECURITY.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def named_tests() -> list[tuple[str, str]]:
    """(file, function or "") for each test that the page names; `::test` goes on with the file before it."""
    named, file = [], ""
    for text in re.findall(r"`([^`\n]*test_[^`\n]*)`", (ROOT / "SECURITY.md").read_text("utf-8")):
        path, _, function = text.partition("::")
        if path:
            file = path if "/" in path else f"tests/attacks/{path}"
        named.append((file, function))
    return named


def test_every_test_that_the_security_page_names_exists():
    named = named_tests()
    assert len(named) > 30
    for file, function in named:
        path = ROOT / file
        assert path.is_file(), file
        assert not function or f"def {function}(" in path.read_text("utf-8"), (file, function)


def test_every_promise_names_its_test():
    rows = re.findall(r"^\| (.+) \| (.+) \|$", (ROOT / "SECURITY.md").read_text("utf-8"), re.MULTILINE)
    promises = [(promise, holder) for promise, holder in rows if promise not in ("promise", "---")]
    assert promises and all("test_" in holder for _promise, holder in promises)
