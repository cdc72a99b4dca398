"""A reward model from the Hub as a tool: loaded from one pinned commit without running its code, scored in batches.

Scores are raw (any finite number); the gate calibrates them. torch and transformers are imported when one is loaded.
What is loaded, and what is refused, says docs/hub.md. Nothing is sent anywhere once the files are here.
"""

from __future__ import annotations

import math
import os
import re
import tempfile
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast, get_args

from pydantic import Field, ValidationError

from rlar.code_identity import code_identity
from rlar.errors import HubError, ToolError, boundary, first_problem
from rlar.text.answers import clean
from rlar.tool import Resources
from rlar.tools.reward_model.families import HeadReading, architecture_of, labels_of, refusal
from rlar.tools.reward_model.files import (
    check_hashes,
    count_parameters,
    download,
    is_here,
    parse_source,
    read_json,
    snapshot_folder,
)
from rlar.tools.reward_model.linear import use_fastest_linear, widen_heads
from rlar.tools.reward_model.store import model_store
from rlar.types import Frozen, JsonObject, Sample, Score, ToolKind, ToolSpec, abstain, failed, ok

if TYPE_CHECKING:
    from torch import Tensor

BATCH_TOKENS = {"cpu": 1024, "cuda": 65_536}
"""Padded tokens a batch. On a CPU larger batches leave its caches: 4,096 tokens took 1.3 times as long a text as 1,024."""
BATCH_ROWS = 128
CHARACTERS_A_TOKEN = 64
"""A text with more characters than this times the window is not even tokenized: it cannot fit."""
DTYPE_VARIABLE = "RLAR_REWARD_DTYPE"
"""Environment variable: auto, float32 or bfloat16, for tools whose params say auto."""
HARMLESS = re.compile(r"(^|\.)(lm_head\.|rotary_emb\.inv_freq$|position_ids$|pooler\.)")
"""Weights in a checkpoint that a classifier rightly leaves unused."""


Dtype = Literal["auto", "float32", "bfloat16"]


class RewardModelParams(Frozen):
    """The params of a REWARD_MODEL tool."""

    reading: HeadReading
    files: dict[str, str] = Field(min_length=1)
    """Name -> SHA-256 of every file that is loaded."""
    max_length: int = Field(ge=16)
    """Tokens of prompt and completion together; a longer sample is abstained on.

    It is not cut: a score of a cut completion judges a text that nobody wrote, and a policy would learn to hide behind
    the cut; a cut prompt is another question.
    """
    dtype: Dtype = "auto"
    """auto: bfloat16 on a GPU; on a CPU float32, with products in bfloat16 where the processor has units for them.

    The head always computes in float32. The environment variable RLAR_REWARD_DTYPE decides where this says auto.
    """
    endpoint: str | None = None
    """Hub to download from, where it is not the client's own. Holds no credentials: tokens come from the environment."""
    role: Literal["quality"] = "quality"


def code_hash() -> str:
    """Hash of the code that reads reward models: another reading of the same weights is another tool."""
    return code_identity(f"{__name__}:RewardModelTool")


def reward_model_spec(name: str, source: str, params: RewardModelParams, provenance: JsonObject) -> ToolSpec:
    """The ToolSpec of a model at "repo@sha", read as this version reads it."""
    return ToolSpec(
        kind=ToolKind.REWARD_MODEL,
        name=name,
        source=source,
        params=params.model_dump(mode="json"),
        code_hash=code_hash(),
        provenance=provenance,
    )


def current(spec: ToolSpec) -> ToolSpec:
    """The tool with the code of this version."""
    return spec.model_copy(update={"code_hash": code_hash()})


class _Row(NamedTuple):
    """One sample, tokenized."""

    place: int
    ids: list[int]
    types: list[int] | None
    marks: tuple[int, ...]
    """process: places of the tokens whose verdict counts."""


class RewardModelTool:
    """Scores completions with one model; thread-safe. Raises nothing because of a sample."""

    def __init__(self, spec: ToolSpec, resources: Resources) -> None:
        """Downloads what is missing of the pinned commit, checks every file's hash, and loads the model.

        Raises:
            ToolError: it cannot be had, is not what was certified, or may not be loaded.
        """
        self.spec = spec
        try:
            self._params = RewardModelParams.model_validate(spec.params)
        except ValidationError as error:
            raise ToolError(f"{spec.id}: params of a reward model are wrong: {first_problem(error)}") from error
        if spec.code_hash and spec.code_hash != code_hash():
            raise ToolError("its code has changed since it was certified; run `rlar agent build-tools` again")
        self._repo, self._sha = parse_source(spec.source)
        self._store = model_store(resources)
        self._network = resources.network
        self._folder = self._fetched()
        check_hashes(self._folder, self._params.files)
        self._device = _device()
        self._dtype = _dtype(self._params.dtype)
        wide = self._dtype == "float32" or self._device == "cpu"
        self._size_bytes = count_parameters(self._folder, self._params.files) * (4 if wide else 2)
        with self._leased() as model:
            _label_weights(self._params.reading, model.config)
            self.concurrency = model.turns.concurrency
            """Calls at a time that are worth while."""

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        """One Score per sample, in order; values are raw."""

        def run() -> list[Score]:
            with self._leased() as model:
                return _Scorer(model, self._params).score(samples)

        def on_error(error: Exception) -> list[Score]:
            if not isinstance(error, ToolError):
                raise error
            return [failed(str(error)) for _ in samples]

        return boundary(run, on_error) if samples else []

    def _fetched(self) -> Path:
        names, cache_dir = self._params.files, self._store.cache_dir
        if is_here(self._repo, self._sha, names, cache_dir):
            return snapshot_folder(self._repo, self._sha, cache_dir)
        from huggingface_hub import HfApi, constants

        own = constants.ENDPOINT
        endpoint = self._params.endpoint or own
        self._network.permit(endpoint, f"{self.spec.id}, whose files are not here,")
        # The client's own token is for the client's own Hub.
        token = None if endpoint == own else self._network.secret(endpoint) or False
        try:
            return download(HfApi(endpoint=endpoint, token=token), self._repo, self._sha, names, cache_dir)
        except HubError as error:
            raise ToolError(
                f"{error}. Way out: `hf download {self._repo} --revision {self._sha}` where the Hub can be reached, "
                "and RLAR_HUB_CACHE (or HF_HUB_CACHE) set to that cache here"
            ) from error

    def _leased(self) -> AbstractContextManager[LoadedModel]:
        # Tools that read one model in different ways share it.
        key = f"{self.spec.source}#{self._dtype}"
        return self._store.lease(key, self._size_bytes, self._load)

    def _load(self) -> LoadedModel:
        process = self._params.reading.family == "process"
        return load_model(self._folder, self._params.files, process=process, device=self._device, dtype=self._dtype)


def _dtype(name: str) -> Dtype:
    """What a tool computes in. Raises ToolError where the environment says something that is no type."""
    chosen = os.environ.get(DTYPE_VARIABLE, "auto") if name == "auto" else name
    if chosen not in get_args(Dtype):
        raise ToolError(f"{DTYPE_VARIABLE}={chosen!r}: it is one of {', '.join(get_args(Dtype))}")
    return cast(Dtype, chosen)


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


class LoadedModel(NamedTuple):
    """A model and its tokenizer, read from exactly the files that were hashed."""

    model: Any
    tokenizer: Any
    config: dict[str, Any]
    special: re.Pattern[str] | None
    """Matches the special tokens that a text could forge."""
    device: str
    turns: Turns


class Turns:
    """Who computes with a model at a time: one call with all cores, or for a small model on a CPU one call a core.

    Products of a small model are too small to be worth splitting: two threads in one pass take about as long as one
    thread, two passes side by side half as long.
    """

    SMALL = 100_000_000
    """Parameters."""

    def __init__(self, *, device: str, parameters: int) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.concurrency = cores if device == "cpu" and parameters < self.SMALL else 1
        self._cores = cores
        self._free = threading.BoundedSemaphore(self.concurrency)
        self._lock = threading.Lock()
        self._running = 0

    @contextmanager
    def take(self) -> Iterator[None]:
        """Compute inside; the thread has its share of the cores there."""
        with self._free:
            with self._lock:
                self._running += 1
                share = max(1, self._cores // self._running)
            try:
                if share == self._cores:
                    yield
                else:
                    with _thread_pools().limit(limits=share, user_api="openmp"):
                        yield
            finally:
                with self._lock:
                    self._running -= 1


@cache
def _thread_pools() -> Any:
    """Made after torch has been imported; its OpenMP limit holds for the calling thread alone."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def load_model(folder: Path, files: Collection[str], *, process: bool, device: str, dtype: Dtype) -> LoadedModel:
    """The model whose files lie in a folder. Raises ToolError where it may not, or cannot, be loaded.

    Args:
        process: token classification, not sequence classification.
        dtype: of the computation, see RewardModelParams.dtype.
    """
    config = read_json(folder / "config.json")
    tokenizer_config = read_json(folder / "tokenizer_config.json") if "tokenizer_config.json" in files else {}
    if reason := refusal(config, tokenizer_config):
        raise ToolError(reason)
    with tempfile.TemporaryDirectory(prefix="rlar-model-") as view:
        # A cache folder may hold more than was vetted (adapters, pickles, code): show only what was.
        for name in files:
            (Path(view) / name).symlink_to((folder / name).resolve())
        wide = device == "cpu" or dtype == "float32"
        model, tokenizer = _load_parts(Path(view), config, process=process, wide=wide)
    _agree_on_padding(model, tokenizer)
    # A tokenizer that was saved with padding or cutting drops them at its first call, which threads must not share.
    tokenizer("settled", "before threads come", verbose=False)
    widen_heads(model.to(device))
    use_fastest_linear(model, bfloat16={"auto": None, "float32": False, "bfloat16": True}[dtype])
    turns = Turns(device=device, parameters=sum(each.numel() for each in model.parameters()))
    return LoadedModel(model, tokenizer, config, _special_pattern(tokenizer), device, turns)


class _Scorer:
    """One batch of samples read by one recipe."""

    def __init__(self, loaded: LoadedModel, params: RewardModelParams) -> None:
        self._loaded = loaded
        self._tokenizer = loaded.tokenizer
        self._reading = params.reading
        self._max_length = params.max_length
        self._weights = _label_weights(params.reading, loaded.config)

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        """One Score per sample, in order."""
        scores: list[Score | None] = [None] * len(samples)
        rows: list[_Row] = []
        for index, sample in enumerate(samples):
            row = boundary(lambda i=index, s=sample: self._row(i, s), _not_encoded)  # type: ignore[misc]
            if isinstance(row, Score):
                scores[index] = row
            else:
                rows.append(row)
        for batch in _batches(rows, BATCH_TOKENS[self._loaded.device]):
            for row, score in zip(batch, self._scored(batch), strict=True):
                scores[row.place] = score
        return [score if score is not None else failed("the model gave no score") for score in scores]

    # -------------------------------------------------------------------------------------- text to tokens

    def _row(self, index: int, sample: Sample) -> _Row | Score:
        prompt, completion = self._plain(sample.prompt), self._plain(visible(sample.completion))
        if len(prompt) + len(completion) > CHARACTERS_A_TOKEN * self._max_length:
            return self._too_long(f"over {CHARACTERS_A_TOKEN * self._max_length} characters")
        row = self._steps(index, prompt, completion) if self._reading.family == "process" else None
        if row is None and self._reading.family == "process":
            return ok(0.0, "not a single step")
        row = row or self._whole(index, prompt, completion)
        return row if len(row.ids) <= self._max_length else self._too_long(f"{len(row.ids)} tokens")

    def _too_long(self, size: str) -> Score:
        return abstain(f"prompt and completion are {size}, the model reads {self._max_length} tokens")

    def _plain(self, text: str) -> str:
        """The text with the tokenizer's special tokens broken up: a completion must not end its own turn."""
        text = text.encode("utf-8", "replace").decode("utf-8")
        special = self._loaded.special
        return special.sub(lambda match: f"{match[0][0]} {match[0][1:]}", text) if special else text

    def _whole(self, index: int, prompt: str, completion: str) -> _Row:
        if self._reading.template == "chat":
            turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]
            text = self._tokenizer.apply_chat_template(turns, tokenize=False)
            # The template writes the special tokens itself; the tokenizer must not add them again (double BOS).
            encoded = self._tokenizer(text, add_special_tokens=False, verbose=False)
        else:
            encoded = self._tokenizer(prompt, completion, verbose=False)
        return _Row(index, list(encoded["input_ids"]), encoded.get("token_type_ids"), ())

    def _steps(self, index: int, prompt: str, completion: str) -> _Row | None:
        """Prompt, then every step with the separator after it, as TRL's PRM trainer lays them out; None without a step."""
        separator = self._reading.separator
        parts = completion.split(separator if separator in LINE_BREAKS else "\n\n")
        steps = [part.strip() for part in parts if part.strip()]
        if not steps:
            return None
        end = self._ids(separator)
        begin = self._tokenizer.bos_token_id
        ids, marks = ([] if begin is None else [begin]) + self._ids(prompt), []
        for step in steps:
            ids += self._ids(step) + end
            marks.append(len(ids) - 1)
        return _Row(index, ids, None, tuple(marks))

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    # -------------------------------------------------------------------------------------- tokens to scores

    def _scored(self, batch: Sequence[_Row]) -> list[Score]:
        """Scores of a batch; halved where the GPU's memory does not do."""
        import torch

        try:
            with self._loaded.turns.take(), torch.inference_mode():
                logits = self._logits(batch).float().cpu()
        except torch.OutOfMemoryError as error:
            if len(batch) == 1:
                return [failed(f"out of GPU memory at {len(batch[0].ids)} tokens: {type(error).__name__}")]
            torch.cuda.empty_cache()
            half = len(batch) // 2
            return [*self._scored(batch[:half]), *self._scored(batch[half:])]
        return [self._read(row, logits[place]) for place, row in enumerate(batch)]

    def _logits(self, batch: Sequence[_Row]) -> Tensor:
        import torch

        longest = max(len(row.ids) for row in batch)
        pad = self._tokenizer.pad_token_id

        def tensor(rows: Sequence[Sequence[int]], fill: int) -> Tensor:
            filled = [[*row, *[fill] * (longest - len(row))] for row in rows]
            return torch.tensor(filled, dtype=torch.long, device=self._loaded.device)

        inputs = {
            "input_ids": tensor([row.ids for row in batch], pad),
            "attention_mask": tensor([[1] * len(row.ids) for row in batch], 0),
        }
        if batch[0].types is not None:
            inputs["token_type_ids"] = tensor([row.types or [] for row in batch], 0)
        logits: Tensor = self._loaded.model(**inputs).logits
        return logits

    def _read(self, row: _Row, logits: Tensor) -> Score:
        """The score of one row from its raw logits: no sigmoid, nothing squashed but a process model's two labels."""
        if self._reading.family == "process":
            good = logits[list(row.marks)].softmax(-1)[:, self._reading.good].tolist()
            value = {"min": min(good), "mean": sum(good) / len(good), "last": good[-1]}[self._reading.over]
            details: dict[str, Any] = {"steps": [round(each, 4) for each in good[:64]]}
        else:
            values = logits.tolist()
            value = sum(weight * held for weight, held in zip(self._weights, values, strict=True))
            details = {"objectives": [round(each, 4) for each in values]} if len(values) > 1 else {}
        if not math.isfinite(value):
            return failed(f"the model gave {value}")
        return ok(value, tokens=len(row.ids), **details)


LINE_BREAKS = ("\n", "\n\n")


def visible(completion: str) -> str:
    """What a reader sees of an answer: without invisible characters."""
    return clean(completion).strip()


def _not_encoded(error: Exception) -> Score:
    return failed(f"cannot be tokenized: {type(error).__name__}: {str(error)[:200]}")


def _batches(rows: Sequence[_Row], tokens: int) -> Iterator[list[_Row]]:
    """Rows of like length together, longest first, within the budget of padded tokens."""
    batch: list[_Row] = []
    for row in sorted(rows, key=lambda row: (-len(row.ids), row.place)):
        if batch and (len(batch) >= BATCH_ROWS or (len(batch) + 1) * len(batch[0].ids) > tokens):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _load_parts(view: Path, config: dict[str, Any], *, process: bool, wide: bool) -> tuple[Any, Any]:
    """Model and tokenizer from a folder that holds nothing but vetted files. Raises ToolError."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer

    kind = AutoModelForTokenClassification if process else AutoModelForSequenceClassification
    safe = {"trust_remote_code": False, "local_files_only": True}
    dtype = torch.float32 if wide else torch.bfloat16

    def load() -> tuple[Any, Any, Any] | ToolError:
        def model(attention: str) -> Any:
            # Named, so that a configuration cannot name code of its own for it.
            return kind.from_pretrained(
                view, use_safetensors=True, dtype=dtype, output_loading_info=True, attn_implementation=attention, **safe
            )

        try:
            loaded, info = model("sdpa")
        except (ValueError, ImportError):  # an architecture without it
            loaded, info = model("eager")
        return loaded, info, AutoTokenizer.from_pretrained(view, **safe)

    with _quiet():
        parts = boundary(load, lambda error: ToolError(f"cannot be loaded: {type(error).__name__}: {str(error)[:300]}"))
    if isinstance(parts, ToolError):
        raise parts
    model, info, tokenizer = parts
    if type(model).__name__ != architecture_of(config):
        raise ToolError(f"config.json names {architecture_of(config)}, transformers made {type(model).__name__}")
    for name in ("missing_keys", "mismatched_keys"):
        if info[name]:
            raise ToolError(f"weights not in the checkpoint, they would be random: {_shown(info[name])}")
    if unused := [key for key in info["unexpected_keys"] if not HARMLESS.search(key)]:
        raise ToolError(f"weights that this architecture does not use: {_shown(unused)}")
    return model.eval().requires_grad_(False), tokenizer


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and load reports: what is wrong with a checkpoint is said by the ToolError."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _shown(keys: Any) -> str:
    names = sorted(str(key) for key in keys)
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _label_weights(reading: HeadReading, config: dict[str, Any]) -> list[float]:
    """The weight of every label of the head, in the head's order."""
    labels = labels_of(config)
    if reading.family == "scalar" and len(labels) == 1:
        return [1.0]
    if reading.family == "objectives" and sorted(labels) == sorted(reading.weights):
        return [reading.weights[label] for label in labels]
    if reading.family == "process" and len(labels) == 2:
        return []
    raise ToolError(f"read as {reading.family}, but its head has the labels {', '.join(labels[:6])}")


def _agree_on_padding(model: Any, tokenizer: Any) -> None:
    """One pad token for model and tokenizer. Raises ToolError where there is none, or two."""
    config = model.config.get_text_config() if hasattr(model.config, "get_text_config") else model.config
    if tokenizer.pad_token_id is None and config.pad_token_id is not None:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(config.pad_token_id)
    if tokenizer.pad_token_id is None:
        raise ToolError("no pad token: which token the head reads would depend on the batch")
    if config.pad_token_id is None:
        config.pad_token_id = tokenizer.pad_token_id
    if config.pad_token_id != tokenizer.pad_token_id:
        raise ToolError(f"the model pads with {config.pad_token_id}, its tokenizer with {tokenizer.pad_token_id}")


def _special_pattern(tokenizer: Any) -> re.Pattern[str] | None:
    """Matches the special tokens that a text could forge, longest first."""
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    tokens = {str(token) for token in tokenizer.all_special_tokens} | {str(t) for t in added if t.special}
    forgeable = sorted((token for token in tokens if len(token.strip()) > 1), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, forgeable)), re.IGNORECASE) if forgeable else None
