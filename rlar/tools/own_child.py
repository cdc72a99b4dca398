"""The process that a user's own reward function runs in: the standard library alone, as the interpreter may be another's.

`python own_child.py FILE FUNCTION SHAPE MEMORY_MB`, spoken to in frames (8 bytes of length, then JSON). The first frame
from it says how the function was understood, or why it cannot be called. Then every request {"samples": [...]} is answered
{"scores": [{"value": number | null} | {"error": text}, ...], "printed": bytes, "left": processes}. A sample is
{"prompt": text | messages, "text": the prompt as one text, "completion", "reference", "references", "row"}.
"""

# ruff: noqa: E402
from __future__ import annotations

import os
import sys

# Python puts the folder of a script first: its http.py would stand before the standard library's.
sys.path[:] = [path for path in sys.path if path != os.path.dirname(os.path.abspath(__file__))]  # noqa: PTH100, PTH120

import asyncio
import builtins
import importlib
import importlib.util
import inspect
import io
import json
import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

SHAPES = ("trl", "verl", "openrlhf", "verifiers", "plain", "gym", "slime")
MARKS = {
    "verl": {"solution_str", "ground_truth"},
    "openrlhf": {"queries"},
    "trl": {"completions"},
    "plain": {"response"},
    "verifiers": {"completion"},
}
"""Parameters that only this shape has; the first one that fits is it."""


class Counted(io.TextIOBase):
    """Takes the place of stdout and stderr: what a function prints is counted and thrown away."""

    written = 0

    def write(self, text: str) -> int:
        """Count it."""
        Counted.written += len(text)
        return len(text)

    def fileno(self) -> int:
        """None: nobody writes past us."""
        raise io.UnsupportedOperation("fileno")


def shape_of(function: Callable[..., Any]) -> str:
    """The shape of a function by the names of its parameters; "" where none fits."""
    names = set(inspect.signature(function).parameters)
    return next((shape for shape, marks in MARKS.items() if marks <= names), "")


class Misread(Exception):
    """What came back from a call with lists is no list of as many numbers: nobody knows which belongs to what."""


class Caller:
    """Calls the function as its host would."""

    def __init__(self, function: Callable[..., Any], shape: str) -> None:
        self.function, self.shape = function, shape
        parameters = inspect.signature(function).parameters
        self.names = [
            name for name, each in parameters.items() if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
        ]
        self.takes_more = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
        self.needed = [
            name
            for name, each in parameters.items()
            if each.default is each.empty and each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
        ]
        self.messages: bool | None = None

    def score(self, samples: list[Any]) -> list[Any]:
        """One value or Exception per sample."""
        if self.shape in ("trl", "openrlhf"):
            return self.many(samples)
        scores = []
        for sample in samples:
            try:
                value = self.run(getattr(self, self.shape, self.plain)(sample))
                scores.append(value.get("score", value.get("reward", value)) if isinstance(value, dict) else value)
            except BaseException as error:  # noqa: BLE001  # it is the function\'s, whatever it is
                scores.append(error)
        return scores

    def many(self, samples: list[Any]) -> list[Any]:
        """A call for the whole batch; where it raises, one for each, as one completion must not cost the others theirs."""
        try:
            return self.batch(samples)
        except Misread as error:
            return [error] * len(samples)
        except BaseException as error:  # noqa: BLE001  # it is the function\'s, whatever it is
            if len(samples) == 1:
                return [error]
        return [score for sample in samples for score in self.many([sample])]

    def batch(self, samples: list[Any]) -> list[Any]:
        """The values of a call with lists."""
        values = self.run(getattr(self, self.shape)(samples))
        if isinstance(values, dict):
            values = values.get("rewards", values.get("scores"))
        if hasattr(values, "tolist"):
            values = values.tolist()
        if not isinstance(values, (list, tuple)):
            raise Misread(f"returned {type(values).__name__} instead of a list of numbers")
        if len(values) != len(samples):
            raise Misread(f"returned {len(values)} numbers for {len(samples)} completions")
        return list(values)

    def run(self, call: Callable[[], Any]) -> Any:
        """What a call gives, awaited where it has to be."""
        value = call()
        return asyncio.run(awaited(value)) if inspect.isawaitable(value) else value

    # How each host calls.

    def trl(self, samples: list[Any]) -> Callable[[], Any]:
        """prompts, completions and every column as a list; messages where the function or the prompts want them."""
        as_messages = self.messages if self.messages is not None else isinstance(samples[0]["prompt"], list)
        values: dict[str, Any] = {"prompts": [prompt_of(each, as_messages) for each in samples]}
        values["completions"] = [completion_of(each, as_messages) for each in samples]
        values["completion_ids"] = [[ord(char) % 256 for char in each["completion"][:4096]] for each in samples]
        columns = sorted({name for each in samples for name in each["row"]} - {"prompt", "completion"})
        values.update({name: [each["row"].get(name) for each in samples] for name in columns})
        values.update(trainer_state=None, log_extra=nothing, log_metric=nothing)
        return self.with_names(values)

    def openrlhf(self, samples: list[Any]) -> Callable[[], Any]:
        """queries, prompts and labels as lists."""
        texts = [each["text"] for each in samples]
        labels = [each["reference"] for each in samples]
        queries = [text + each["completion"] for text, each in zip(texts, samples, strict=False)]
        return self.with_names({"queries": queries, "prompts": texts, "labels": labels})

    def verl(self, sample: Any) -> Callable[[], Any]:
        """data_source, solution_str, ground_truth, extra_info; a dict's "score" counts."""
        row = sample["row"]
        model = row.get("reward_model")
        truth = model.get("ground_truth", sample["reference"]) if isinstance(model, dict) else sample["reference"]
        extra = row.get("extra_info")
        values = {
            "data_source": row.get("data_source", ""),
            "solution_str": sample["completion"],
            "ground_truth": truth,
        }
        return self.with_names({**values, "extra_info": extra if isinstance(extra, dict) else {}})

    def verifiers(self, sample: Any) -> Callable[[], Any]:
        """prompt, completion, answer, state, info, task: those that it names."""
        as_messages = self.messages if self.messages is not None else isinstance(sample["prompt"], list)
        values = {"prompt": prompt_of(sample, as_messages), "completion": completion_of(sample, as_messages)}
        row = sample["row"]
        info = row.get("info") if isinstance(row.get("info"), dict) else {}
        values.update(answer=sample["reference"] or "", info=info, task=str(row.get("task", "default")))
        values["state"] = {**values, "turn": 1}
        return self.with_names({**row, **values, "parser": None})

    def plain(self, sample: Any) -> Callable[[], Any]:
        """prompt, response, reference and, where asked for, references and the row's columns."""
        values = {name: sample[name] for name in ("reference", "references")}
        values.update(prompt=sample["text"], response=sample["completion"], binding=sample["row"])
        return self.with_names({**sample["row"], **values})

    def with_names(self, values: dict[str, Any]) -> Callable[[], Any]:
        """A call with what the function has parameters for."""
        if missing := [name for name in self.needed if name not in values]:
            raise KeyError("the rows have no column {}".format(", ".join(missing)))
        chosen = values if self.takes_more else {name: values[name] for name in self.names if name in values}
        return lambda: self.function(**chosen)


def nothing(*_arguments: Any, **_more: Any) -> None:
    """For log functions that a host hands over."""


async def awaited(value: Awaitable[Any]) -> Any:
    """What it gives."""
    return await value


def prompt_of(sample: Any, as_messages: bool) -> Any:
    """The prompt as text or as messages."""
    if as_messages:
        return (
            sample["prompt"] if isinstance(sample["prompt"], list) else [{"role": "user", "content": sample["prompt"]}]
        )
    return sample["text"]


def completion_of(sample: Any, as_messages: bool) -> Any:
    """The completion as text or as messages."""
    return [{"role": "assistant", "content": sample["completion"]}] if as_messages else sample["completion"]


def entry(value: Any) -> dict[str, Any]:
    """A function's value as it travels: a finite number, null (cannot tell), or what is wrong with it."""
    if isinstance(value, Misread):
        return {"error": str(value)}
    if isinstance(value, BaseException):
        text = str(value).strip().splitlines()
        return {"error": "raises {}{}".format(type(value).__name__, ": " + text[0][:200] if text else "")}
    if isinstance(value, (list, tuple)) and value:
        value = value[0]  # verifiers and verl let a pair of score and notes pass
    if value is None:
        return {"value": None}
    if isinstance(value, (str, bytes, dict)):
        return {"error": f"returned {type(value).__name__} instead of a number"}
    try:
        number = float(value)
    except BaseException:  # noqa: BLE001  # it is the function\'s, whatever it is
        return {"error": f"returned {type(value).__name__} instead of a number"}
    return {"value": number} if math.isfinite(number) else {"error": f"returned {number!r}"}


def post(url: str, body: dict[str, Any]) -> Any:
    """What a server answers, as JSON."""
    import urllib.request

    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=600) as answer:
        return json.loads(answer.read(1 << 20))


def route(url: str, shape: str) -> Callable[..., Any]:
    """The function that a route is, in the shape of whoever calls it."""

    def openrlhf(queries: Any, prompts: Any, labels: Any) -> Any:
        return post(url, {"query": queries, "prompts": prompts, "labels": labels})

    def gym(prompt: Any, response: Any, reference: Any, references: Any, binding: Any) -> Any:
        content = [{"type": "output_text", "text": response, "annotations": []}]
        output = {"id": "1", "type": "message", "role": "assistant", "status": "completed", "content": content}
        answer = {"id": "1", "created_at": 0, "model": "", "object": "response", "output": [output]}
        answer.update(parallel_tool_calls=False, tool_choice="none", tools=[])
        row = {name: value for name, value in binding.items() if name != "prompt"}
        asked = {"input": [{"role": "user", "content": prompt}]}
        return post(url, {**row, "responses_create_params": asked, "response": answer})

    def slime(prompt: Any, response: Any, reference: Any) -> Any:
        return post(url, {"prompt": prompt, "response": response, "label": reference})

    if shape not in ("openrlhf", "gym", "slime"):
        raise ValueError("a route has a shape of its own; say --shape gym|openrlhf|slime")
    routes: dict[str, Callable[..., Any]] = {"openrlhf": openrlhf, "gym": gym, "slime": slime}
    return routes[shape]


def load(path: str, name: str) -> Any:
    """The function of a file, which may be one of a package. Whatever it raises leaves."""
    file = Path(path).resolve()
    folder, names = file.parent, [file.stem]
    while (folder / "__init__.py").is_file():  # a file of a package imports its neighbours
        names.insert(0, folder.name)
        folder = folder.parent
    sys.path[:0] = dict.fromkeys((str(file.parent), str(folder)))
    try:  # by its path: it may be called json.py, and its package may need what it does not
        spec = importlib.util.spec_from_file_location(file.stem, file)
        assert spec is not None and spec.loader is not None, "its name ends in .py"
        module = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(spec.name, module)
        spec.loader.exec_module(module)
    except ImportError as error:
        if "relative import" not in str(error) and "beyond top-level" not in str(error):
            raise
        sys.modules.pop(file.stem, None)
        module = importlib.import_module(".".join(names).removesuffix(".__init__"))
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part)
        # A registry may name what is in an allowed file; os.system, which that imports, is not meant.
        if inspect.ismodule(found) or part.startswith("__"):
            raise ValueError(f"{part} of {name} is no function of {file.name}; name the file that it is in")
    home = str(getattr(found, "__module__", "")).partition(".")[0]
    library = set(getattr(sys, "stdlib_module_names", ())) - {file.stem}
    if (inspect.isroutine(found) or inspect.isclass(found)) and home in library:
        raise ValueError(f"{name} is Python's own ({home}), not a reward function")
    return found() if inspect.isclass(found) else found


def understood(path: str, name: str, shape: str) -> tuple[Caller, dict[str, Any]]:
    """The caller, and what to tell of it. Raises ValueError where the function cannot be called."""
    function = route(path, shape) if path.startswith(("http://", "https://")) else load(path, name)
    if not callable(function):
        raise ValueError(f"{name} is {type(function).__name__}, not a function")
    shape = shape_of(function) if shape == "auto" else shape
    if not shape:
        names = ", ".join(inspect.signature(function).parameters)
        raise ValueError(
            "its parameters ({}) are none of the known shapes; say --shape {}".format(names, "|".join(SHAPES))
        )
    caller = Caller(function, shape)
    return caller, {"shape": shape, "needed": caller.needed}


def children() -> int:
    """Processes that this one has started and that still run; 0 where the system does not tell."""
    try:
        return len(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
    except OSError:
        return 0


def try_messages(caller: Caller, samples: list[Any]) -> None:
    """Whether the function wants messages, where text is not to its taste: once, with the first completion."""
    if caller.shape not in ("trl", "verifiers") or caller.messages is not None:
        return
    for as_messages in dict.fromkeys((isinstance(samples[0]["prompt"], list), True, False)):
        caller.messages = as_messages
        value = caller.score(samples[:1])[0]
        if not isinstance(value, (TypeError, AttributeError, KeyError, IndexError)):
            return
    caller.messages = None


def main(path: str, name: str, shape: str, memory_mb: int) -> None:
    """Answer until the parent closes the pipe."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    sys.stdout = sys.stderr = Counted()
    if memory_mb:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory_mb << 20, memory_mb << 20))
    own, exit_now = os.getpid(), os._exit

    def reply(value: dict[str, Any]) -> None:
        if os.getpid() != own:
            exit_now(0)  # a fork that came back from the function
        body = json.dumps(value).encode()
        replies.write(len(body).to_bytes(8, "little") + body)
        replies.flush()

    try:
        caller, told = understood(path, name, shape)
    except BaseException as error:  # noqa: BLE001  # it is the function\'s, whatever it is
        reply({"problem": entry(error)["error"] if not isinstance(error, ValueError) else str(error)})
        return
    reply(told)
    while True:
        head = requests.read(8)
        if len(head) < 8:
            return
        samples = json.loads(requests.read(int.from_bytes(head, "little")))["samples"]
        try_messages(caller, samples)
        scores = [entry(value) for value in caller.score(samples)]
        reply({"scores": scores, "printed": Counted.written, "left": children()})


if __name__ == "__main__":
    builtins.input = lambda *_: (_ for _ in ()).throw(EOFError("nobody to ask"))
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
