"""A few foreign kilobytes cost at most bounded memory and time, wherever they are unpacked, and end in one line that says so."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rlar.agent.hub import web
from rlar.errors import ChatUnavailable, RegistryError, ToolError
from rlar.llm.chat import OpenAIChat, parse_endpoint
from rlar.llm.http_body import LARGEST_ANSWER
from rlar.network import Network
from rlar.registry.content import LARGEST_ARRAYS, arrays_digest, pack_arrays, unpack_arrays
from rlar.rows.read import read_objects
from rlar.tool import Resources
from rlar.tools.http import http_spec
from rlar.tools.judge import Criterion, judge_spec
from rlar.tools.load import load_tool
from rlar.tools.reward_model.files import count_parameters
from rlar.types import Message, Sample, Score, ToolSpec
from tests.fakes.model_server import Answer, ModelServer
from tests.fakes.probing_tasks import open_task
from tests.fakes.thinning import thinned

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures memory through /proc")
ROOT = Path(__file__).resolve().parents[2]
SAMPLE = Sample(prompt="Why?", completion="Because.")


def status(name: str) -> float:
    """A figure of this process in MB: VmRSS, or VmHWM, its peak."""
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.M)
    assert found is not None
    return int(found[1]) / 1000


@contextmanager
def bounded(*, mb: float, seconds: float) -> Iterator[None]:
    """What is inside grows this process by so much at most, at any moment, and ends in time."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before, started = status("VmRSS"), time.monotonic()
    yield
    assert status("VmHWM") - before < mb
    assert time.monotonic() - started < seconds


def test_the_measure_sees_what_is_taken_and_given_back():
    with pytest.raises(AssertionError), bounded(mb=50, seconds=60):
        len(bytearray(b"x" * 200_000_000))


# ------------------------------------------------------------------------------------------ answers of servers


def deflated(size: int, wbits: int) -> bytes:
    packer = zlib.compressobj(9, wbits=wbits)
    block = b" " * 1_000_000
    return b"".join(packer.compress(block) for _ in range(size // len(block))) + packer.flush()


def zstandard_of(size: int) -> bytes:
    zstandard = pytest.importorskip("zstandard")
    packer = zstandard.ZstdCompressor(level=3).compressobj()
    return b"".join(packer.compress(b" " * 1_000_000) for _ in range(size // 1_000_000)) + packer.flush()


GZIP = 16 + zlib.MAX_WBITS
CODED: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: deflated(300_000_000, GZIP),
    "x-gzip": lambda: deflated(300_000_000, GZIP),
    "GZip": lambda: deflated(300_000_000, GZIP),
    "deflate": lambda: deflated(300_000_000, zlib.MAX_WBITS),
    "gzip, gzip": lambda: gzip.compress(deflated(600_000_000, GZIP)),
    "identity, gzip": lambda: deflated(300_000_000, GZIP),
    "zstd": lambda: zstandard_of(300_000_000),
    "br": lambda: b"\x81\xfa\xff\x07" * 100,
}


@cache
def bomb(coding: str) -> bytes:
    return CODED[coding]()


def coded(coding: str) -> Answer:
    answer = Answer(headers={"content-encoding": coding})
    answer.content = bomb(coding)
    return answer


def tools_at(url: str) -> dict[str, ToolSpec]:
    return {
        "vllm": http_spec(url, "vllm", ask_server=False, retries=0, seconds=20),
        "tei": http_spec(url, "tei", ask_server=False, retries=0, seconds=20),
        "rlar": http_spec(url, "rlar", ask_server=False, retries=0, seconds=20),
        "judge": judge_spec({"model": "m", "base_url": f"{url}/v1"}, [Criterion(text="Is right.")], seconds=20),
    }


def scored(name: str, answer: Answer, *, mb: float) -> tuple[Score, str]:
    with ModelServer(lambda path, body, headers: answer) as server:
        with Resources(network=Network.of_user([server.url])) as resources:
            tool = load_tool(tools_at(server.url)[name], resources)
            with bounded(mb=mb, seconds=30):
                (score,) = tool.score([SAMPLE])
        assert all(headers["accept-encoding"] == "identity" for _path, _body, headers in server.requests)
        return score, server.url


@pytest.mark.parametrize("coding", thinned(CODED, every=4))
@pytest.mark.parametrize("name", ["vllm", "judge"])
def test_a_compressed_answer_is_not_unpacked(name: str, coding: str):
    answer = coded(coding)
    assert len(answer.content) < 2_500_000
    score, url = scored(name, answer, mb=100)
    assert (score.value, score.status) == (None, "failed")
    assert url in (score.error or "") and "compressed" in (score.error or "")


AMPLIFIED = {
    "one number": "1" * (LARGEST_ANSWER - 1),
    "lists": "[" + ",".join(["[]"] * (LARGEST_ANSWER // 3 - 1)) + "]",
    "objects": "[" + ",".join(["{}"] * (LARGEST_ANSWER // 3 - 1)) + "]",
    "deep": "[" * 1_000_000,
    "long": " " * (LARGEST_ANSWER + 1),
}


@pytest.mark.parametrize("case", thinned(AMPLIFIED, every=3))
@pytest.mark.parametrize("name", thinned(["tei", "judge"], every=2))
def test_plain_answers_that_are_large_as_objects_stay_bounded(name: str, case: str):
    score, url = scored(name, Answer(text=AMPLIFIED[case]), mb=1000)
    # Reading it may use up a judge's time, retries included.
    assert score.value is None and score.status in ("failed", "timeout")
    assert url in (score.error or "") or (name == "judge" and score.status == "timeout")


def test_the_agents_own_questions_are_bounded_too():
    with ModelServer(lambda path, body, headers: coded("gzip")) as server:
        endpoint = f"{server.url}/v1#m"
        chat = OpenAIChat(parse_endpoint(endpoint), network=Network.of_user(llm=endpoint), retries=0)
        with bounded(mb=100, seconds=30), pytest.raises(ChatUnavailable, match="compressed") as caught:
            chat.complete([Message(role="user", content="Hello")])
    assert server.url in str(caught.value)


# ------------------------------------------------------------------------------------------ requests to the server


@pytest.mark.parametrize("coding", thinned(["gzip", "deflate", "gzip, gzip", "zstd", "identity, gzip"], every=4))
def test_the_server_unpacks_no_request(coding: str, tmp_path: Path):
    pytest.importorskip("fastapi")
    pytest.importorskip("prometheus_client")
    from fastapi.testclient import TestClient

    from rlar.registry.registry import Registry
    from rlar.scoring.scorer import Scorer
    from rlar.server.app import create_app
    from rlar.server.settings import ServeSettings

    with Registry.open(tmp_path / "r.db", create=True):
        pass
    body = bomb(coding)
    with Scorer(tmp_path / "r.db", workers=0) as scorer:
        site = TestClient(create_app(ServeSettings(), scorer=scorer), base_url="http://127.0.0.1:8000")
        for route in ("/score", "/get_reward", "/rm", "/verify"):
            with bounded(mb=100, seconds=10):
                answer = site.post(
                    route, content=body, headers={"content-encoding": coding, "content-type": "application/json"}
                )
            assert answer.status_code == 415 and "compressed" in answer.text


# ------------------------------------------------------------------------------------------ rows


def consumed(path: Path) -> int:
    return sum(1 for _row in read_objects([path]))


GZIPPED = {
    "one line without end": lambda: deflated(300_000_000, GZIP),
    "empty lines": lambda: gzip.compress(b"\n" * 100_000_000),
    "empty objects": lambda: gzip.compress(b"{}\n" * 30_000_000),
    "equal rows": lambda: gzip.compress(b'{"prompt": "What is 2 + 2?", "reference": "4"}\n' * 3_000_000),
    "many members": lambda: gzip.compress(b" " * 900_000) * 300,
}


PEAK_OF_A_READER = """
import re, sys
from pathlib import Path
from rlar.errors import DatasetError
from rlar.rows.read import read_objects

def megabytes(name):
    return int(re.search(rf"^{name}:\\s+(\\d+) kB", Path("/proc/self/status").read_text(), re.M)[1]) / 1000

before = megabytes("VmRSS")
try:
    for _row in read_objects([Path(sys.argv[1])]):
        pass
except DatasetError as error:
    print(megabytes("VmHWM") - before, error)
"""


@pytest.mark.parametrize("name", thinned(GZIPPED, every=5))
def test_gzipped_rows_unfold_only_so_far(name: str, tmp_path: Path):
    path = tmp_path / "bomb.jsonl.gz"
    path.write_bytes(GZIPPED[name]())
    assert path.stat().st_size < 600_000
    # A process of its own: beside a thousand other tests, this one's memory moves by more than a bomb would.
    reader = subprocess.run(
        [sys.executable, "-c", PEAK_OF_A_READER, str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=ROOT,
    )
    growth_mb, refusal = reader.stdout.split(" ", 1)
    assert float(growth_mb) < 200
    assert "unfold" in refusal and str(path) in refusal and "\n" not in refusal.strip()


def test_a_file_that_repeats_itself_as_data_sets_do_is_read(tmp_path: Path):
    system = "You are a careful assistant. Think before you answer. " * 40
    rows = ({"prompt": [{"role": "system", "content": system}, {"role": "user", "content": f"{n} + {n * 7919}?"}]}
            for n in range(50_000))  # fmt: skip
    path = tmp_path / "rows.jsonl.gz"
    with gzip.open(path, "wt", compresslevel=9) as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)
    assert consumed(path) == 50_000


def parquet(path: Path, table: Any, *, groups: int = 1, **options: Any) -> Path:
    from pyarrow.parquet import ParquetWriter

    with ParquetWriter(path, table.schema, compression="zstd", **options) as writer:
        for _ in range(groups):
            writer.write_table(table)
    return path


def one_text(path: Path) -> Path:
    """A megabyte of text, once, that every row repeats."""
    import pyarrow

    column = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 20_000, pyarrow.int32()), ["x" * 1_000_000])
    return parquet(path, pyarrow.table({"prompt": column}))


def many_rows(path: Path) -> Path:
    import pyarrow

    return parquet(path, pyarrow.table({"n": pyarrow.array([7] * 1_000_000)}), groups=30)


def wide_lists(path: Path) -> Path:
    import pyarrow

    offsets = pyarrow.array([n * 2_000_000 for n in range(11)], pyarrow.int32())
    values = pyarrow.nulls(20_000_000, pyarrow.int8())
    return parquet(path, pyarrow.table({"a": pyarrow.ListArray.from_arrays(offsets, values)}))


def many_columns(path: Path) -> Path:
    import pyarrow

    column = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 1000, pyarrow.int32()), ["x" * 100_000])
    return parquet(path, pyarrow.table({f"c{n}": column for n in range(200)}))


MEASURED = """
import json, resource, sys, time
from pathlib import Path
from rlar.errors import DatasetError
from rlar.rows.read import read_objects
started, said = time.monotonic(), ""
try:
    kinds = {}
    for row in read_objects([Path(sys.argv[1])]):
        kinds[type(row).__name__] = kinds.get(type(row).__name__, 0) + 1
except DatasetError as error:
    said = str(error)
own = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
peaks = [own / 1000, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000]
print(json.dumps({"said": said, "mb": peaks, "seconds": time.monotonic() - started, "kinds": kinds}))
"""


def measured(path: Path) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", MEASURED, str(path)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("make", thinned([many_rows, one_text, wide_lists, many_columns], every=4))
def test_parquet_rows_unfold_only_so_far(make: Callable[[Path], Path], tmp_path: Path):
    path = make(tmp_path / "bomb.parquet")
    assert path.stat().st_size < 200_000
    found = measured(path)
    own, reader = found["mb"]
    assert own < 500 and reader < 2500 and found["seconds"] < 120
    if found["said"]:
        assert str(path) in found["said"] and "unfold" in found["said"] and "\n" not in found["said"]
    else:
        assert set(found["kinds"]) == {"RejectedRow"} and make is not many_rows


@pytest.mark.slow
def test_damaged_parquet_files_are_one_line_and_bounded(tmp_path: Path):
    import pyarrow

    table = pyarrow.table({"prompt": [f"What is {n} + {n}?" for n in range(200)], "n": list(range(200))})
    whole = bytearray(parquet(tmp_path / "whole.parquet", table).read_bytes())
    dice = random.Random(0)
    for seed in range(40):
        damaged = bytearray(whole)
        for _ in range(1 + seed % 4):
            damaged[dice.randrange(4, len(damaged) - 4)] = dice.randrange(256)
        path = tmp_path / f"{seed}.parquet"
        path.write_bytes(damaged)
        found = measured(path)
        assert max(found["mb"]) < 2500 and "\n" not in found["said"]


# ------------------------------------------------------------------------------------------ a registry, a model


def npz(members: dict[str, Callable[[Any], None]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, write in members.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                write(member)
    return buffer.getvalue()


def header(shape: str) -> bytes:
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def zeros(count: int) -> Callable[[Any], None]:
    def write(member: Any) -> None:
        member.write(header(f"({count // 8},)"))
        for _ in range(count // 8_000_000):
            member.write(bytes(8_000_000))

    return write


ROUTERS = {
    "zeros": lambda: npz({"a": zeros(LARGEST_ARRAYS + 8_000_000)}),
    "many of them": lambda: npz({f"a{n}": zeros(LARGEST_ARRAYS // 4) for n in range(5)}),
    "a shape that is not there": lambda: npz({"a": lambda member: member.write(header("(10000000000,)") + bytes(8))}),
    "a shape without end": lambda: npz({"a": lambda member: member.write(header("(" + "9" * 60 + ",)") + bytes(8))}),
    "a negative shape": lambda: npz({"a": lambda member: member.write(header("(-1,)") + bytes(8))}),
    "no archive": lambda: b"PK\x03\x04" + bytes(100),
}


@pytest.mark.parametrize("name", ROUTERS)
def test_a_row_router_unfolds_only_so_far(name: str):
    body = ROUTERS[name]()
    assert len(body) < 2_000_000
    with bounded(mb=100, seconds=20), pytest.raises(RegistryError, match="damaged") as caught:
        unpack_arrays(body, "", "foreign.db")
    assert "foreign.db" in str(caught.value) and "\n" not in str(caught.value)


def test_a_router_comes_back_as_it_was_packed():
    import numpy as np

    arrays = {
        "a": np.arange(12, dtype=np.float32).reshape(3, 4),
        "b": np.array(["one", "zwei", "три"]),
        "c": np.zeros((0, 5)),
        "d": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "e": np.array(3.5),
    }
    found = unpack_arrays(pack_arrays(arrays), arrays_digest(arrays), "r.db")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype and np.array_equal(found[name], array)


@pytest.mark.parametrize("side", [2**31, 10**300, "8", None, [2]])
def test_a_weights_header_of_many_dimensions_costs_no_time(side: Any, tmp_path: Path):
    head = json.dumps({"w": {"dtype": "F32", "shape": [side] * 300_000, "data_offsets": [0, 4]}}).encode()
    (tmp_path / "model.safetensors").write_bytes(len(head).to_bytes(8, "little") + head + bytes(4))
    with bounded(mb=200, seconds=10), pytest.raises(ToolError, match=r"model\.safetensors is no safetensors file"):
        count_parameters(tmp_path, ["model.safetensors"])


# ------------------------------------------------------------------------------------------ a web search

ENGINES = {
    "a page of gigabytes": ("return [{'title': 'x' * (8 << 30), 'href': 'y'}]", "MemoryError"),
    "gigabytes in pieces": (
        "return [{'title': bytes(1 << 20).decode(), 'href': str(n)} for n in range(9000)]",
        "Memory",
    ),
    "an endless page": ("import time; time.sleep(600)", "no answer within"),
    "a crash": ("import os; os.abort()", "SIGABRT"),
    "a page that ends the process": ("import os; os._exit(0)", "exit code 0"),
}


@pytest.mark.parametrize("name", thinned(ENGINES, every=5))
def test_a_search_engine_cannot_fill_the_memory(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    body, message = ENGINES[name]
    (tmp_path / "ddgs.py").write_text(
        f"class DDGS:\n    def __init__(self, **options): pass\n    def text(self, query, **options):\n        {body}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(web, "STARTING_SECONDS", 20 if "endless" not in name else 3)
    with bounded(mb=1000, seconds=60):  # of eight thousand; threads of earlier tests may still hold what they read
        ids, notes = web.find_models(web.DdgsSearch(backends=("duckduckgo",), seconds=1), open_task())
    assert ids == () and len(notes) == 2 and "duckduckgo" in notes[0] and message in notes[0]


def test_long_titles_and_addresses_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    hit = "{'title': 'x' * 10**7, 'href': 'https://huggingface.co/acme/rm?' + 'y' * 10**7}"
    (tmp_path / "ddgs.py").write_text(
        f"class DDGS:\n    def __init__(self, **o): pass\n    def text(self, query, **o): return [{hit}]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    (found,) = web.DdgsSearch(backends=("brave",)).search("a reward model", 5)
    assert len(found.title) <= 2000 and len(found.url) <= 2000 and web.model_id(found.url) == "acme/rm"
