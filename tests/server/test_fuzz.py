"""Whatever our OpenAPI allows or forbids: never a 500, and only answers that it describes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("schemathesis")
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture.utils import many
from schemathesis.specs.openapi import checks as openapi_checks

from rlar.scoring.scorer import Scorer
from rlar.server.app import create_app
from rlar.server.settings import ServeSettings
from tests.fakes import serving_rows as rows

pytestmark = pytest.mark.slow
KEPT = settings(
    deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scorer]:
    path = rows.make_registry(tmp_path_factory.mktemp("registry") / "registry.db")
    with Scorer(path, workers=0) as made:
        yield made


@pytest.fixture
def app(scorer: Scorer) -> Any:
    return create_app(ServeSettings(max_body_mb=1, batch_window_ms=0), scorer=scorer)


ROUTES = ("/score", "/get_reward", "/rm", "/verify", "/prompts", "/healthz", "/readyz", "/metrics")


@pytest.mark.skipif(
    not hasattr(many, "more"), reason="hypothesis-jsonschema 0.23 needs hypothesis before 6.170.9 (its `many.more`)"
)
@pytest.mark.parametrize("mode", ["positive", "negative"])
@pytest.mark.parametrize("route", ROUTES)
def test_no_body_gives_a_500_or_an_answer_that_is_not_described(app: Any, route: str, mode: str):
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers={"host": "127.0.0.1"})
    assert set(schema) == set(ROUTES)
    operation = schema[route]["POST" if route in ROUTES[:5] else "GET"]
    if mode == "negative" and route in ROUTES[5:]:
        pytest.skip("there is nothing to get wrong")
    seen = []

    @settings(KEPT, max_examples=8 if route == "/score" else 25)
    @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
    def check(case: Any) -> None:
        response = case.call(headers={"host": "127.0.0.1"})
        seen.append(response.status_code)
        case.validate_response(
            response,
            checks=[
                schemathesis.checks.not_a_server_error,
                openapi_checks.status_code_conformance,
                openapi_checks.content_type_conformance,
                openapi_checks.response_schema_conformance,
            ],
        )

    check()
    assert len(seen) >= 1
    if mode == "positive" and route != "/score":  # which has a rule that its schema can't say: one of two fields
        assert 200 in seen


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
NAMES = ["rows", "prompt", "messages", "completion", "completions", "reference", "label", "tests", "extra_info",
         "rlar_row", "rlar_row_key", "fingerprint", "query", "prompts", "labels", "response", "input", "output",
         "responses_create_params", "role", "content", "instructions", "expected_answer", "schema", "metadata"]  # fmt: skip
OBJECTS = st.recursive(
    JSON,
    lambda inner: st.dictionaries(st.sampled_from(NAMES), inner, max_size=6) | st.lists(inner, min_size=1, max_size=3),
    max_leaves=16,
)


@pytest.mark.parametrize("route", ROUTES[:5])
def test_our_own_words_in_any_place_never_give_a_500(app: Any, route: str):
    web = TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)

    @settings(KEPT, max_examples=30)
    @given(
        extra=st.dictionaries(st.sampled_from(NAMES), OBJECTS, max_size=6),
        row=st.dictionaries(st.sampled_from(NAMES), OBJECTS, max_size=6),
    )
    def check(extra: dict[str, Any], row: dict[str, Any]) -> None:
        base = {
            "/score": {"rows": [{"completion": "4", "prompt": "What is 2 + 2?", **row}]},
            "/get_reward": {"query": ["x"], **extra},
            "/rm": {"response": "4", **extra},
            "/verify": {"responses_create_params": row, "response": extra, **extra},
            "/prompts": {"rows": [{"prompt": "What is 2 + 2?", **row}]},
        }[route]
        if route == "/score":
            base["rows"][0].pop("completions" if "completion" in row else "", None)  # type: ignore[union-attr]
        answer = web.post(route, content=json.dumps(base), headers={"content-type": "application/json"})
        assert answer.status_code in (200, 400, 422), answer.text

    check()


KINDS = ["application/json", "application/json; charset=utf-16", "APPLICATION/JSON", "text/plain", "application/x-www-form-urlencoded",
         "multipart/form-data; boundary=x", "application/json, text/html", "", "application/json\x7f"]  # fmt: skip
ENCODINGS = [None, "identity", "gzip", "br", "identity, gzip", "\x7f"]
NESTED = [f"{opening * depth}{middle}{closing * depth}" for opening, middle, closing in (("[", "", "]"), ('{"a":', "1", "}"))
          for depth in (99, 101, 1000, 50_000)]  # fmt: skip
PIECES = st.sampled_from(
    [*NESTED, "NaN", "-Infinity", "1e999", "9" * 5000, "-0", '"\\ud800"', '"\\udfff\\ud800"', '"\\u0000"', '"\\u2028\x7f"', "null", "true", "[]", "{}",
     '{"role": "user", "content": "x"}', '[{"role": "assistant", "content": [{"type": "text", "text": "4"}]}]']
)  # fmt: skip
WRONG = [
    "{",
    "",
    "\ufeff{}",
    "{}{}",
    "[1",
    '{"a" 1}',
    "\x00",
    "{'a': 1}",
    '{"rows": [{"prompt": "x", "completion": "y"}], }',
]


@pytest.mark.parametrize("route", ROUTES)
def test_no_bytes_of_any_kind_give_a_500(app: Any, route: str):
    """Beyond the schema: raw bytes, broken text, other content types and methods, values JSON has no business with."""
    web = TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)
    named = st.dictionaries(st.sampled_from(NAMES), PIECES, max_size=5).map(
        lambda fields: "{" + ", ".join(f'"{name}": {value}' for name, value in fields.items()) + "}"
    )
    row = named.map(lambda text: f'{{"rows": [{text}, {{"prompt": "What is 2 + 2?", "completion": "4"}}]}}')
    bodies = st.binary(max_size=200) | (st.sampled_from(WRONG) | PIECES | named | row).map(
        lambda text: text.encode("utf-8", "surrogatepass")
    )

    @settings(KEPT, max_examples=60)
    @given(
        body=bodies,
        kind=st.sampled_from(KINDS) | st.just(KINDS[0]),
        encoding=st.sampled_from(ENCODINGS),
        method=st.sampled_from(["POST", "POST", "POST", "GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]),
        query=st.sampled_from(["", "?detail=1", "?detail=x", "?detail=1&detail=0", "?%00=%ff", "?" + "a" * 3000]),
    )
    def check(body: bytes, kind: str, encoding: str | None, method: str, query: str) -> None:
        headers = {"content-type": kind} | ({"content-encoding": encoding} if encoding is not None else {})
        answer = web.request(method, route + query, content=body, headers=headers)
        assert answer.status_code in (200, 400, 405, 413, 415, 422), (answer.status_code, answer.text[:300])
        if answer.status_code not in (200, 405) and method != "HEAD":
            assert answer.json()["error"]

    check()
