"""A quick no must never be a wrong one."""

from __future__ import annotations

import random

from rlar.kinds.carries import _FIRST_MARK, _OPTION, _SUMMARY, _SUMMARY_STEMS
from rlar.kinds.programs.rows import _ASKS_PROGRAM, _ASKS_STEMS, _FOREIGN_MARK, _FOREIGN_STEMS
from rlar.text.stems import Stems


def test_a_stem_stands_in_a_text_or_not() -> None:
    stems = Stems("sum", "要約")
    assert stems.stand_in("a summary")
    assert stems.stand_in("この文を要約して")
    assert not stems.stand_in("A SUM")  # in its own case
    assert not stems.stand_in("")


def test_whatever_a_pattern_finds_has_one_of_its_stems() -> None:
    pieces = (
        "#include <x>", "# include", "public class", "package main", "console.log", "func f(", "fn main", "function", "=>", "using x", "std::cout",
        "fun main", "<?php", "gets", "main :: IO", "object A", "my $x", "my @y", "my %z", "require('a')", "vector<int>", "System.out", "process.env",
        "import Foundation", "readln", "io.read", "Python", "código", "程序", "stdin", "standard input", "Funktion", "Programm", "def", "summary",
        "TL;DR", "résumé", "fasse", "(A)", "A.", "a)", "**A**:", "[A]", "B) x", "text", "\n", " ", " the ", "1.",
    )  # fmt: skip
    rng = random.Random(0)
    met = [0, 0, 0, 0]
    for _ in range(4000):
        text = "".join(rng.choice(pieces) + rng.choice(("", " ", "\n")) for _ in range(rng.randint(1, 4)))
        findings = (
            (_FOREIGN_MARK.search(text), _FOREIGN_STEMS.stand_in(text)),
            (_ASKS_PROGRAM.search(text), _ASKS_STEMS.stand_in(text.casefold())),
            (_SUMMARY.search(text.lower()), _SUMMARY_STEMS.stand_in(text.lower())),
            ([m for m in _OPTION.finditer(text) if m[1].upper() == "A"], _FIRST_MARK.stand_in(text)),
        )
        for index, (match, likely) in enumerate(findings):
            met[index] += bool(match)
            assert likely or not match, (index, text)
    assert min(met) > 100, met
