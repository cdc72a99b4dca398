"""No spelling of a tier but the right ones is taken, and none but the accepted risk by name weakens isolation."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from typer.testing import CliRunner

from rlar import cli
from rlar.config import BuildConfig, read_sandbox_tier
from rlar.errors import ConfigError, SandboxError, SandboxRefused
from rlar.evals.scoring import Measuring
from rlar.sandbox import Pool, TierReport, probe
from rlar.sandbox.fork_server import ForkServer
from rlar.sandbox.inside.layers import layers_of
from rlar.scoring.files import score_file
from rlar.server.settings import ServeSettings

NAMES = ("auto", "ns", "ll", "sec", "unsafe")
LOOKALIKES = str.maketrans({"a": "а", "e": "е", "s": "ѕ", "c": "с", "o": "о", "l": "1", "n": "ո", "u": "υ", "t": "т"})
AROUND = st.sampled_from(["", " ", "\n", "\0", "\u200b", "\ufeff", "\t", "-", ",", "'", "none", "ns", "unsafe"])


class Text(str):
    """Equal to everything, as JSON never is and a caller's object can be."""

    def __eq__(self, _other: object) -> bool:
        return True

    __hash__ = str.__hash__


@st.composite
def misspelt(draw: st.DrawFn) -> str:
    """A name of a tier with another case, other letters that look alike, or something around it."""
    name = draw(st.sampled_from((*NAMES, "wasm", "none", "off", "docker")))
    change: Callable[[str], str] = draw(
        st.sampled_from(
            [
                str,
                str.upper,
                str.title,
                str.swapcase,
                lambda text: text.translate(LOOKALIKES),
                lambda text: "".join(chr(ord(letter) + 0xFEE0) for letter in text),
                lambda text: unicodedata.normalize("NFD", text[:1] + "\u0301" + text[1:]),
                lambda text: text[::-1],
                lambda text: text[:-1],
                lambda text: text * 2,
            ]
        )
    )
    return draw(AROUND) + change(name) + draw(AROUND)


ANYTHING = st.one_of(
    misspelt(),
    st.text(),
    st.none(),
    st.booleans(),
    st.integers(),
    st.binary(),
    st.lists(st.sampled_from(NAMES), max_size=2),
    st.sampled_from(NAMES).map(Text),
).filter(lambda value: not (type(value) is str and value in NAMES))


@given(ANYTHING)
@example("NS")
@example("ns ")
@example("wasm")
@example("none")
@example("")
def test_nothing_but_the_names_is_a_tier_for_anyone(value: Any):
    """Where code asks for a tier: the setting, the pool, a build, a server, a file to score, an evaluation, the jail."""
    asked: list[Callable[[], object]] = [
        lambda: read_sandbox_tier(value),
        lambda: Pool(tier=value),
        lambda: Pool(tier=value, accept_unsafe=True),
        lambda: BuildConfig.model_validate({"dataset": ["rows.jsonl"], "sandbox_tier": value, "accept_unsafe": True}),
        lambda: ServeSettings.model_validate({"sandbox_tier": value, "accept_unsafe": True}),
        lambda: score_file("no.db", Path("no.jsonl"), Path("no.out"), sandbox_tier=value, accept_unsafe=True),
        lambda: Measuring("no.db", sandbox_tier=value),
    ]
    for ask in asked:
        with pytest.raises(ConfigError, match="sandbox_tier") as caught:
            ask()
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
    with pytest.raises(ValueError, match="no tier of this sandbox"):
        layers_of(value)


@given(st.one_of(st.text(), st.none(), st.integers(), st.floats(), st.lists(st.booleans())))
@example("false")
@example(1)
def test_the_risk_is_accepted_by_true_alone(value: Any):
    for tier in ("auto", "unsafe"):
        with pytest.raises((ConfigError, SandboxRefused)):
            Pool(tier=tier, accept_unsafe=value)  # type: ignore[arg-type]


@pytest.mark.parametrize("tier", ["NS", "", "ns ", "none", "wasm", "auto", None, 1, True, ["ns"], {"unsafe": True}])
def test_a_fork_server_that_is_told_an_unknown_tier_does_not_start(tier: Any):
    server = ForkServer(tier, [])
    try:
        with pytest.raises(SandboxError, match="no tier of this sandbox"):
            server.start()
        assert server.process_id() is None
    finally:
        server.close()


def test_only_the_tier_of_the_accepted_risk_lacks_a_layer():
    for name in NAMES[1:]:
        assert layers_of(name).seccomp == (name != "unsafe")
    with pytest.raises(ValueError):
        layers_of("auto")  # a wish of the pool's, no tier


def test_no_setting_but_the_accepted_risk_gives_a_pool_without_isolation(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("rlar.sandbox.tiers.best_tier", lambda: (None, "nothing works here"))
    for tier in NAMES:
        if tier in ("ns", "ll", "sec"):
            assert not Pool(tier=tier).unsafe
            assert not Pool(tier=tier, accept_unsafe=True).unsafe
        else:
            with pytest.raises(SandboxRefused):
                Pool(tier=tier)  # type: ignore[arg-type]
            assert Pool(tier=tier, accept_unsafe=True).unsafe  # type: ignore[arg-type]


@pytest.mark.parametrize("tier", ["ns", "ll", "sec"])
def test_a_forced_tier_that_this_machine_lacks_runs_nothing(tier: Any, monkeypatch: pytest.MonkeyPatch):
    """A program is never run with fewer layers than asked for, whatever risk was accepted."""
    from rlar.sandbox import fork_server

    broken = fork_server._BOOT.with_name("no-such-file.py")
    monkeypatch.setattr(fork_server, "_BOOT", broken)
    with Pool(tier=tier, accept_unsafe=True, workers=1) as pool, pytest.raises(SandboxError, match=tier):
        pool.run_tests("def f(): return 1", "assert f() == 1", "f")


@pytest.mark.parametrize("tier", ["NS", "Unsafe", "none", "ns ", "wasm"])
@pytest.mark.parametrize("risk", [(), ("--accept-unsafe-execution",)])
@pytest.mark.parametrize("command", ["score", "build", "serve", "eval"])
def test_every_command_refuses_a_mistyped_tier_in_one_line(
    command: str, risk: tuple[str, ...], tier: str, tmp_path: Path
):
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        json.dumps({"prompt": "2 + 2?", "reference": "4", "completion": "4", "responses": ["4", "5"], "labels": [1, 0]})
        + "\n"
    )
    target = tmp_path / "out"
    options = {
        "score": ["score", "-i", rows, "-o", target, "-r", tmp_path / "no.db"],
        "build": ["agent", "build-tools", "-d", rows, "-r", target],
        "serve": ["serve", "-r", tmp_path / "no.db", "--port", "0"],
        "eval": ["eval", "rewards", "--data", rows, "-r", tmp_path / "no.db", "--report", target],
    }[command]
    if command == "eval" and risk:
        return  # it has no such option
    ended = CliRunner().invoke(cli.app, [str(each) for each in (*options, *risk, "--sandbox-tier", tier)])
    assert ended.exit_code == 2 and f"sandbox_tier {tier!r}" in " ".join(ended.output.split()), ended.output
    assert "Traceback" not in ended.output
    assert not target.exists()


def test_the_tiers_of_the_report_are_the_tiers_of_the_setting(tier_names: tuple[str, ...]):
    assert ("auto", *tier_names, "unsafe") == NAMES


@pytest.fixture
def tier_names() -> tuple[str, ...]:
    report: TierReport = probe()
    return tuple(state.tier for state in report.tiers)
