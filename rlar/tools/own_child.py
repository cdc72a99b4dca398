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
import threading
import time

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


dumps, loads = json.dumps, json.loads
"""As they are now: a function may put its own into the module."""


class Counted(io.RawIOBase):
    """Under stdout and stderr: what a function prints is counted and thrown away."""

    written = 0

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """Count it."""
        size = memoryview(data).nbytes
        Counted.written += size
        return size

    def fileno(self) -> int:
        """For a process that is to write there too."""
        return self._descriptor

    @classmethod
    def stream(cls, descriptor: int) -> io.TextIOWrapper:
        """What takes the place of `sys.stdout`, with all that a text stream has."""
        return io.TextIOWrapper(io.BufferedWriter(cls(descriptor)), "utf-8", "backslashreplace", write_through=True)


def shape_of(function: Callable[..., Any]) -> str:
    """The shape of a function by the names of its parameters; "" where none fits."""
    names = set(inspect.signature(function).parameters)
    return next((shape for shape, marks in MARKS.items() if marks <= names), "")


class Refused(Exception):
    """It is nothing that can be called as a reward; the text is for its user."""


class Misread(Exception):
    """What came back from a call with lists is no list of as many numbers: nobody knows which belongs to what."""


class NoColumn(LookupError):
    """A function needs what a row does not have."""


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
                value = self.run(self.arguments(sample))
                scores.append(value.get("score", value.get("reward", value)) if isinstance(value, dict) else value)
            except BaseException as error:  # noqa: BLE001  # it is the function's, whatever it is
                scores.append(error)
        return scores

    def many(self, samples: list[Any]) -> list[Any]:
        """A call for the whole batch; where it raises, one for each, as one completion must not cost the others theirs."""
        try:
            return self.batch(samples)
        except Misread as error:
            return [error] * len(samples)
        except BaseException as error:  # noqa: BLE001  # it is the function's, whatever it is
            if len(samples) == 1:
                return [error]
        return [score for sample in samples for score in self.many([sample])]

    def batch(self, samples: list[Any]) -> list[Any]:
        """The values of a call with lists."""
        values = self.run(self.arguments(samples))
        if isinstance(values, dict):
            values = values.get("rewards", values.get("scores"))
        if hasattr(values, "tolist"):
            values = values.tolist()
        if not isinstance(values, (list, tuple)):
            raise Misread(f"returned {type(values).__name__} instead of a list of numbers")
        if len(values) != len(samples):
            raise Misread(f"returned {len(values)} numbers for {len(samples)} completions")
        return list(values)

    def run(self, values: dict[str, Any]) -> Any:
        """What the function gives for the values that it has parameters for, awaited where it has to be."""
        if missing := [name for name in self.needed if name not in values]:
            raise NoColumn("the rows have no column {}".format(", ".join(missing)))
        value = self.function(
            **(values if self.takes_more else {name: values[name] for name in self.names if name in values})
        )
        return asyncio.run(awaited(value)) if inspect.isawaitable(value) else value

    def columns(self) -> list[str]:
        """Parameters without a default that only a column of the rows can fill."""
        nobody = {"prompt": "", "text": "", "completion": "", "reference": "", "references": [], "row": {}}
        offered = self.arguments([nobody] if self.shape in ("trl", "openrlhf") else nobody)
        return [name for name in self.needed if name not in offered]

    def arguments(self, samples: Any) -> dict[str, Any]:
        """What the host calls with: for samples where it hands over lists, for one elsewhere."""
        values: dict[str, Any] = getattr(self, self.shape, self.plain)(samples)
        return values

    # What each host calls with.

    def trl(self, samples: list[Any]) -> dict[str, Any]:
        """prompts, completions and every column as a list; messages where the function or the prompts want them."""
        as_messages = self.messages if self.messages is not None else isinstance(samples[0]["prompt"], list)
        columns = sorted({name for each in samples for name in each["row"]} - {"prompt", "completion"})
        return {
            **{name: [each["row"].get(name) for each in samples] for name in columns},
            "prompts": [prompt_of(each, as_messages) for each in samples],
            "completions": [completion_of(each, as_messages) for each in samples],
            "completion_ids": [[ord(char) % 256 for char in each["completion"][:4096]] for each in samples],
            **{"trainer_state": None, "log_extra": nothing, "log_metric": nothing},
        }

    def openrlhf(self, samples: list[Any]) -> dict[str, Any]:
        """queries, prompts and labels as lists."""
        texts = [each["text"] for each in samples]
        labels = [each["reference"] for each in samples]
        queries = [text + each["completion"] for text, each in zip(texts, samples, strict=False)]
        return {"queries": queries, "prompts": texts, "labels": labels}

    def verl(self, sample: Any) -> dict[str, Any]:
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
        return {**values, "extra_info": extra if isinstance(extra, dict) else {}}

    def verifiers(self, sample: Any) -> dict[str, Any]:
        """prompt, completion, answer, state, info, task: those that it names."""
        as_messages = self.messages if self.messages is not None else isinstance(sample["prompt"], list)
        values = {"prompt": prompt_of(sample, as_messages), "completion": completion_of(sample, as_messages)}
        row = sample["row"]
        info = row.get("info") if isinstance(row.get("info"), dict) else {}
        values.update(answer=sample["reference"] or "", info=info, task=str(row.get("task", "default")))
        values["state"] = {**values, "turn": 1}
        return {**row, **values, "parser": None}

    def plain(self, sample: Any) -> dict[str, Any]:
        """prompt, response, reference and, where asked for, references and the row's columns."""
        values = {name: sample[name] for name in ("reference", "references")}
        values.update(prompt=sample["text"], response=sample["completion"], binding=sample["row"])
        return {**sample["row"], **values}


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


def problem_of(error: BaseException) -> str:
    """An exception in one line, whatever is in it."""
    try:
        lines = str(error)[:10_000].strip().splitlines()
    except BaseException:  # noqa: BLE001  # it is the function's, whatever it is
        lines = []
    line = " ".join(lines[0].split())[:200] if lines else ""
    if isinstance(error, (Refused, Misread, NoColumn)):
        return line
    name = " ".join(type(error).__name__.split())[:100]
    return f"raises {name}: {line}" if line else f"raises {name}"


def entry(value: Any) -> dict[str, Any]:
    """A function's value as it travels: a finite number, null (cannot tell), or what is wrong with it."""
    if isinstance(value, BaseException):
        return {"error": problem_of(value)}
    kind = " ".join(type(value).__name__.split())[:100]
    try:
        if isinstance(value, (list, tuple)) and value:
            value = value[0]  # verifiers and verl let a pair of score and notes pass
        if value is None:
            return {"value": None}
        if isinstance(value, (str, bytes, dict)):
            return {"error": f"returned {type(value).__name__} instead of a number"}
        number = float(value)
    except OverflowError:
        return {"error": f"returned {kind} too large for a number"}
    except BaseException:  # noqa: BLE001  # it is the function's, whatever it is
        return {"error": f"returned {kind} instead of a number"}
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
        raise Refused("a route has a shape of its own; say --shape gym|openrlhf|slime")
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
        try:
            found = getattr(found, part)
        except AttributeError:
            raise Refused(f"{file.name} has no {name}") from None
        # A registry may name what is in an allowed file; os.system, which that imports, is not meant.
        if inspect.ismodule(found) or part.startswith("__"):
            raise Refused(f"{part} of {name} is no function of {file.name}; name the file that it is in")
    home = str(getattr(found, "__module__", "")).partition(".")[0]
    library = set(getattr(sys, "stdlib_module_names", ())) - {file.stem}
    if (inspect.isroutine(found) or inspect.isclass(found)) and home in library:
        raise Refused(f"{name} is Python's own ({home}), not a reward function")
    return found() if inspect.isclass(found) else found


def understood(path: str, name: str, shape: str) -> tuple[Caller, dict[str, Any]]:
    """The caller, and what to tell of it. Raises Refused where the function cannot be called."""
    function = route(path, shape) if path.startswith(("http://", "https://")) else load(path, name)
    if not callable(function):
        raise Refused(f"{name} is {type(function).__name__}, not a function")
    shape = shape_of(function) if shape == "auto" else shape
    if not shape:
        names = ", ".join(inspect.signature(function).parameters)
        raise Refused(
            "its parameters ({}) are none of the known shapes; say --shape {}".format(names, "|".join(SHAPES))
        )
    caller = Caller(function, shape)
    return caller, {"shape": shape, "columns": caller.columns()}


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
        if not isinstance(value, (TypeError, AttributeError, LookupError)):
            return
    caller.messages = None


def end_with(parent: int, exit_now: Callable[[int], Any]) -> None:
    """End this process once who started it is gone, even in the midst of a call that never returns."""
    pause, parent_of = time.sleep, os.getppid
    while parent_of() == parent:
        pause(1.0)
    exit_now(1)


def main(path: str, name: str, shape: str, memory_mb: int) -> None:
    """Answer until the parent closes the pipe."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    sys.stdout, sys.stderr = Counted.stream(1), Counted.stream(2)
    if memory_mb:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory_mb << 20, memory_mb << 20))
    own, exit_now = os.getpid(), os._exit
    threading.Thread(target=end_with, args=(os.getppid(), exit_now), daemon=True).start()

    def reply(value: dict[str, Any]) -> None:
        if os.getpid() != own:
            exit_now(0)  # a fork that came back from the function
        body = dumps(value).encode()
        replies.write(len(body).to_bytes(8, "little") + body)
        replies.flush()

    try:
        caller, told = understood(path, name, shape)
    except BaseException as error:  # noqa: BLE001  # it is the function's, whatever it is
        reply({"problem": problem_of(error)})
        return
    reply(told)
    while True:
        head = requests.read(8)
        if len(head) < 8:
            return
        samples = loads(requests.read(int.from_bytes(head, "little")))["samples"]
        try_messages(caller, samples)
        scores = [entry(value) for value in caller.score(samples)]
        reply({"scores": scores, "printed": Counted.written, "left": children()})


if __name__ == "__main__":
    builtins.input = lambda *_: (_ for _ in ()).throw(EOFError("nobody to ask"))
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
