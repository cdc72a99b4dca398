"""The admission policy: shipped, layered, and strict about names."""

from __future__ import annotations

import pytest

from rlar.errors import ConfigError
from rlar.gate.policy import load_policy
from rlar.types import AnswerKind


def test_every_role_and_speed_has_limits():
    policy = load_policy()

    for role in ("verifier", "quality", "guard"):
        for kind in AnswerKind:
            limits = policy.limits(role, kind)
            assert limits.oracle_min > limits.floor_max
    for runs in ("inline", "pool", "sandbox", "model"):
        assert policy.budget(runs).rows >= policy.min_rows


def test_kinds_replace_single_values_of_a_role():
    policy = load_policy()

    assert policy.limits("verifier", AnswerKind.SQL).discrimination_min == 0.80
    assert policy.limits("verifier", AnswerKind.SQL).floor_max == policy.roles["verifier"].floor_max
    assert policy.limits("verifier", AnswerKind.NUMBER).discrimination_min == 0.95


def test_a_users_file_is_put_over_the_shipped_one_and_changes_the_id(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("min_rows = 9\n[roles.verifier]\noracle_min = 0.99\n[kinds.choice.verifier]\nhack_max = 0.5\n")

    policy = load_policy(path)

    assert policy.min_rows == 9
    assert policy.limits("verifier", AnswerKind.NUMBER).oracle_min == 0.99
    assert policy.limits("verifier", AnswerKind.CHOICE).hack_max == 0.5
    assert policy.roles["quality"] == load_policy().roles["quality"]
    assert policy.id != load_policy().id
    assert load_policy(path).id == policy.id


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("min_rowz = 3", "min_rowz"),
        ("min_rows = 0", "min_rows"),
        ("[roles.verifier]\noracle_min = 1.5", "oracle_min"),
        ("[roles.judge]\noracle_min = 0.5", "roles"),
        ("[kinds.poetry.verifier]\noracle_min = 0.5", "kinds"),
        ("[kinds.sql.verifier]\noracle_mim = 0.5", "oracle_mim"),
        ("min_rows = ", "not TOML"),
    ],
)
def test_a_wrong_policy_names_what_is_wrong(tmp_path, text: str, named: str):
    path = tmp_path / "bad.toml"
    path.write_text(text)

    with pytest.raises(ConfigError, match=named):
        load_policy(path)


def test_a_missing_policy_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="no such policy"):
        load_policy(tmp_path / "none.toml")
