"""The whole of `rlar eval rewards` on a small registry, the report and the comparison of two."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from rlar.cli import app
from rlar.errors import DatasetError
from rlar.evals.diff import compare_results
from rlar.evals.rewards import evaluate_rewards
from rlar.evals.simulate import simulate
from rlar.report.page import write_report
from tests.fakes import browser
from tests.fakes.labelled_rows import labelled, make_registry, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("evals")


@pytest.fixture(scope="module")
def registry(folder):
    return make_registry(folder)


@pytest.fixture(scope="module")
def result(folder, registry):
    rows = [labelled(index) for index in range(24)]
    rows.append({"id": "odd one", "prompt": "Tell me a story about <script>alert(1)</script> a fox.", "responses": ["Once.", "Twice, and long."], "labels": [0, 1], "subset": "even"})  # fmt: skip
    return evaluate_rewards(registry, [write(folder / "lab.jsonl", rows)], command=["rlar", "eval"])


def systems(result):
    return {row["system"]: row for row in result["sets"][0]["systems"]}


def test_the_router_stands_between_the_baselines_and_the_bounds(result):
    found = systems(result)
    # 24 items with 2 pairs each are right, the story's one pair is unknown: one half
    assert found["router"]["value"] == pytest.approx(48.5 / 49, abs=1e-6)
    assert found["router"]["coverage"] == pytest.approx(72 / 74, abs=1e-6)
    assert found["longest"]["value"] < 0.6 < found["router"]["value"]
    assert found["router"]["value"] <= found["per-item bound"]["value"]
    assert found["oracle router (best tool per subset)"]["value"] >= found["router"]["value"]
    assert found["router"]["low"] <= found["router"]["value"] <= found["router"]["high"]


def test_without_the_library_nothing_is_scored_and_abstentions_count_one_half(result):
    row = systems(result)["router without library"]
    assert (row["value"], row["coverage"]) == (0.5, 0.0)
    assert "without hub: left out, the registry holds no such tool" in result["notes"]


def test_a_rejected_tool_is_only_believed_without_the_gate(result):
    found = systems(result)
    assert not any(name.startswith("short_text_f1") for name in found)
    assert "router without gate" in found


def test_the_record_names_lock_data_versions_and_seed(result):
    record = result["record"]
    assert len(record["registry"]["lock_digest"]) == 32 and len(record["data"][0]["sha256"]) == 64
    assert record["seed"] == 0 and record["packages"]["sacrebleu"] and record["command"] == "rlar eval"


def test_a_second_run_gives_the_same_numbers(folder, registry, result):
    again = evaluate_rewards(registry, [folder / "lab.jsonl"], command=["rlar", "eval"])
    for one, other in zip(result["sets"][0]["systems"], again["sets"][0]["systems"], strict=True):
        assert (one["system"], one["value"], one["low"], one["high"]) == (other["system"], other["value"], other["low"], other["high"])  # fmt: skip


def test_reports_are_one_file_without_script_or_address_and_escape_what_they_show(result, tmp_path):
    hostile = json.loads(json.dumps(result))
    hostile["sets"][0]["set"] = "<script>alert(1)</script>"
    page = write_report(hostile, tmp_path / "out").read_text("utf-8")
    assert "<script" not in page and "http://" not in page and "https://" not in page
    assert page.count("<svg") >= 2 and "prefers-color-scheme: dark" in page
    assert "| router |" in (tmp_path / "out" / "report.md").read_text("utf-8")


def test_diff_shows_changed_numbers_and_other_conditions(result, tmp_path):
    other = json.loads(json.dumps(result))
    next(row for row in other["sets"][0]["systems"] if row["system"] == "router")["value"] = 0.25
    other["record"]["data"][0]["sha256"] = "0" * 64
    for name, each in (("a", result), ("b", other)):
        write_report(each, tmp_path / name)
    one, two = tmp_path / "a" / "report.json", tmp_path / "b" / "report.json"
    assert not compare_results(one, one).changed
    found = compare_results(one, two)
    assert found.changed and found.heading == ["not the same data: lab"]
    assert [row[0] for row in found.rows] == ["sets / lab, router / value"] or len(found.rows) == 1
    (tmp_path / "c.json").write_text("[]")
    with pytest.raises(DatasetError, match="not a result"):
        compare_results(one, tmp_path / "c.json")


def test_the_interval_of_the_macro_average_is_narrower_than_that_of_each_set(registry, tmp_path):
    one = write(tmp_path / "one.jsonl", [labelled(index) for index in range(24)])
    two = write(tmp_path / "two.jsonl", [labelled(index) for index in range(40, 64)])
    found = evaluate_rewards(registry, [one, two], without=())
    for row in found["overall"]:
        sets = [next(mine for mine in each["systems"] if mine["system"] == row["system"]) for each in found["sets"]]
        assert row["low"] <= row["value"] <= row["high"]
        assert row["value"] == pytest.approx(sum(each["value"] for each in sets) / 2, abs=1e-6)
        # Two independent errors of one size: their mean has 1/sqrt(2) of it.
        widths = [each["high"] - each["low"] for each in sets]
        assert row["high"] - row["low"] <= sum(widths) / 2 + 1e-9
    random = next(row for row in found["overall"] if row["system"] == "random")
    assert random["high"] - random["low"] > 0.1


def test_the_commands_write_reports(folder, registry, result, tmp_path):
    run = CliRunner().invoke
    out = run(app, ["eval", "rewards", "-r", registry, "-d", str(folder / "lab.jsonl"), "--limit", "4", "--without", "router", "--report", str(tmp_path / "r")])  # fmt: skip
    assert out.exit_code == 0 and (tmp_path / "r" / "report.html").exists(), out.output
    out = run(app, ["eval", "tool", "number", "-r", registry, "-d", str(folder / "lab.jsonl"), "--report", str(tmp_path / "t")])  # fmt: skip
    assert out.exit_code == 0, out.output
    profile = json.loads((tmp_path / "t" / "report.json").read_text())["profile"]
    assert (profile["mean score, good"], profile["mean score, bad"]) == (1.0, 0.0)
    rows = [{"prompt": each["prompt"], "reference": each["meta"]["ground_truth"], "completions": each["responses"], "labels": each["labels"]} for each in map(labelled, range(6))]  # fmt: skip
    path = write(tmp_path / "completions.jsonl", rows)
    out = run(app, ["eval", "policy", "-i", str(path), "-r", registry, "--second", registry, "--report", str(tmp_path / "p")])  # fmt: skip
    assert out.exit_code == 0, out.output
    task = json.loads((tmp_path / "p" / "report.json").read_text())["tasks"][0]
    assert task["passed"] == pytest.approx(1 / 3, abs=1e-6) and task["agreement"] == 1.0
    assert 0.0 <= task["searched"] <= 1.0 and "searched" in (tmp_path / "p" / "report.md").read_text()
    assert task["pass_at"] == {"1": pytest.approx(1 / 3, abs=1e-6), "2": pytest.approx(2 / 3, abs=1e-6)}
    out = run(app, ["eval", "rewards", "-r", registry, "-d", str(folder / "lab.jsonl"), "--without", "nonsense"])
    assert out.exit_code == 2


def test_router_lies_between_best_static_and_oracle_on_twenty_seeds():
    found = simulate(seeds=20)
    assert found["held"] == 20
    means = {row["system"]: row["mean"] for row in found["order"]}
    assert means["random"] < means["random routing"] < means["best static"] < means["router"] <= means["oracle router"]
    regrets = [row["regret"] for row in found["regret"]]
    assert all(one >= other - 1e-9 for one, other in pairwise(regrets)) and regrets[-1] < 0.005


DRAWN = """(() => {
  const shown = (element) => { const box = element.getBoundingClientRect(); return box.width > 0 && box.height > 0; };
  const marks = [...document.querySelectorAll("svg circle, svg rect, svg path, svg polyline, svg line")];
  const inside = marks.filter((mark) => {
    const box = mark.getBoundingClientRect(), frame = mark.closest("svg").getBoundingClientRect();
    return box.right >= frame.left - 1 && box.left <= frame.right + 1 && box.bottom >= frame.top - 1 && box.top <= frame.bottom + 1;
  });
  return {
    plots: [...document.querySelectorAll("figure svg")].filter(shown).length,
    dots: [...document.querySelectorAll("svg circle")].filter(shown).length,
    outside: marks.length - inside.length,
    tables: document.querySelectorAll("table").length,
    scripts: document.querySelectorAll("script, iframe, object, embed").length,
    page: document.documentElement.scrollWidth, window: window.innerWidth,
    background: getComputedStyle(document.body).backgroundColor,
  };
})()"""


@pytest.mark.slow
@pytest.mark.parametrize(("width", "dark"), [(1000, False), (390, True)], ids=["desk", "phone in the dark"])
def test_the_report_opens_in_a_browser_without_error_or_request(result, tmp_path, width, dark):
    page = write_report(result, tmp_path / "out")
    seen = browser.look(page, tmp_path, DRAWN, width=width, dark=dark)
    assert (seen.errors, seen.requests) == ([], [])
    assert seen.value["plots"] >= 2 and seen.value["dots"] >= 5 and seen.value["tables"] >= 2
    assert seen.value["outside"] == 0 and seen.value["scripts"] == 0
    assert seen.value["page"] <= seen.value["window"] <= width, "wider than the screen"
    assert seen.value["background"] == ("rgb(18, 22, 29)" if dark else "rgb(255, 255, 255)")


@pytest.mark.slow
def test_the_browser_would_have_seen_an_error_and_a_request(tmp_path):
    page = tmp_path / "bad.html"
    page.write_text("<img src='http://127.0.0.1:9/x.png'><script>console.error('oh'); nothing.there()</script>")
    seen = browser.look(page, tmp_path, "1 + 1")
    assert seen.value == 2 and seen.requests == ["http://127.0.0.1:9/x.png"]
    assert any("oh" in error for error in seen.errors) and any("nothing" in error for error in seen.errors)
