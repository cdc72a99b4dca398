"""The untrusted side: a process that defines a program and answers calls. It never sees a test or an expected value."""

# ruff: noqa: BLE001

from __future__ import annotations

import atexit
import builtins
import io
import os
import random
import sys
import threading
import types
from typing import Any

from .codec import CodecError, decode, encode
from .frames import MAX_FRAME, MAX_REPLY, FrameError, read_frame, write_frame

_MAX_NAMES = 2000
_MESSAGE = 300
_STACK_BYTES = 1 << 26


def describe(error: BaseException, filename: str = "<program>") -> str:
    """`ValueError: text (line 3)`: one line, bounded, safe for exceptions whose `__str__` misbehaves."""
    try:
        text = str(error)[:_MESSAGE]
    except BaseException:
        text = "?"
    line = None
    if isinstance(error, SyntaxError) and isinstance(error.lineno, int):
        line = error.lineno
    else:
        frame = error.__traceback__
        while frame is not None:
            if frame.tb_frame.f_code.co_filename == filename:
                line = frame.tb_lineno
            frame = frame.tb_next
    where = f" (line {line})" if line is not None else ""
    return (
        f"{type(error).__name__[:100]}: {' '.join(text.split())}{where}" if text else f"{type(error).__name__}{where}"
    )


def seed_generators() -> None:
    """Equal randomness for every call, so that a verdict can be repeated."""
    random.seed(0)
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed(0)


def load(source: str, name: str) -> dict[str, Any]:
    """Run a program's text as module `name`; its globals."""
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(source, "<program>", "exec", dont_inherit=True), module.__dict__)
    return module.__dict__


def _kind(value: Any) -> str | None:
    if isinstance(value, type):
        return "class"
    if callable(value):
        return "function"
    if isinstance(value, types.ModuleType):
        return None
    return "data"


def _exception_reply(error: BaseException) -> dict[str, Any]:
    names = [kind.__name__ for kind in type(error).__mro__ if vars(builtins).get(kind.__name__) is kind]
    try:
        arguments = encode(list(error.args))
    except BaseException:
        arguments = None
    return {"raised": names, "arguments": arguments, "text": describe(error)}


class Program:
    """The definitions of one program and the objects that its callers hold references to."""

    def __init__(self, channel: int, namespace: dict[str, Any]) -> None:
        self.channel = channel
        self.namespace = namespace
        self.objects: list[Any] = []

    def find(self, path: str) -> Any:
        """A top-level name; `Solution.method` makes an instance first."""
        if path in self.namespace:
            return self.namespace[path]
        owner, _, member = path.partition(".")
        value = self.namespace[owner]
        if member:
            return getattr(value() if isinstance(value, type) else value, member)
        return value

    def export(self, value: Any) -> list[Any]:
        """A reference that the tester holds; what it can do with it is decided there."""
        for index, known in enumerate(self.objects[-64:], start=max(0, len(self.objects) - 64)):
            if known is value:
                return ["h", index]
        if len(self.objects) > 100_000:
            raise CodecError("too many objects")
        self.objects.append(value)
        return ["h", len(self.objects) - 1]

    def resolve(self, data: list[Any]) -> Any:
        """The object that a tagged reference of the tester means. Raises CodecError for a tag that is none."""
        tag, key = data
        if tag == "h":
            return self.objects[key]
        if tag == "g":
            return self.find(key)
        if tag == "k":
            return self._callback(key)
        raise CodecError("an unknown tag")

    def _callback(self, key: int) -> Any:
        """A function of the tests, as the program sees it."""

        def call_back(*arguments: Any, **named: Any) -> Any:
            encoded = {"a": encode(list(arguments), self.export), "k": encode(named, self.export)}
            write_frame(self.channel, {"callback": key, **encoded})
            answer = read_frame(self.channel, MAX_REPLY)
            while "op" in answer:  # the tests' function calls the program in its turn
                self.respond(answer)
                answer = read_frame(self.channel, MAX_REPLY)
            if "raised" in answer:
                raise RuntimeError(answer["text"])
            return decode(answer["value"], self.resolve)

        return call_back

    def respond(self, request: dict[str, Any]) -> None:
        """Answer one request of the tests, with what was raised if need be."""
        try:
            write_frame(self.channel, self._answer(request))
        except CodecError as error:
            write_frame(self.channel, {"codec": str(error)[:_MESSAGE]})
        except BaseException as error:
            write_frame(self.channel, _exception_reply(error))

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        operation = request["op"]
        if operation == "attribute":
            value = getattr(self._target(request), request["name"])
            if callable(value) and not isinstance(value, type):
                return {"method": True}
            return {"value": encode(value, self.export)}
        if operation == "data":
            return {"value": encode(self.namespace[request["name"]])}
        function = (
            self.find(request["name"]) if operation == "call" else getattr(self._target(request), request["name"])
        )
        before = request["a"]
        arguments = decode(before, self.resolve)
        value = function(*arguments, **decode(request["k"], self.resolve))
        reply = {"value": encode(value, self.export)}
        if any(type(argument) in (list, dict, set, bytearray) for argument in arguments):
            after = encode(arguments, self.export)
            if after != before:
                reply["a"] = after
        return reply

    def _target(self, request: dict[str, Any]) -> Any:
        return self.objects[request["h"]] if "h" in request else self.find(request["of"])


def serve(channel: int) -> None:
    """Define the program, then answer calls until the other side goes away."""
    request = read_frame(channel, MAX_FRAME)
    try:
        try:
            namespace = load(request["source"], "program")
        except EOFError:  # a demonstration at its end asks a user; nobody is there, and what it defines stands
            namespace = vars(sys.modules["program"])
        program = Program(channel, namespace)
        names = {}
        for name, value in list(program.namespace.items())[:_MAX_NAMES]:
            kind = _kind(value)
            if kind is not None and not name.startswith("__"):
                names[name] = kind
        entry = request["entry"]
        if entry is not None:
            try:
                names[entry] = _kind(program.find(entry)) or "function"
            except (KeyError, AttributeError):
                write_frame(channel, {"failed": f"the program defines no {entry!r}"[:_MESSAGE]})
                return
        write_frame(channel, {"names": names})
    except BaseException as error:
        write_frame(channel, {"failed": describe(error)})
        return
    while True:
        try:
            request = read_frame(channel, MAX_REPLY)
        except FrameError:
            return
        program.respond(request)


_STREAMS = {f"{folder}{name}": number
            for number, names in enumerate((("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")))
            for folder, name in (("/dev/", names[0]), ("/dev/", names[1]), ("/proc/self/", names[1]))}  # fmt: skip
"""Paths by which programs open their standard streams; the jail has none of them."""


def _open_streams_by_name() -> None:
    """`open("/dev/stdin")` gives the standard input, as outside of a jail."""
    original, original_os = io.open, os.open

    def stream(path: Any) -> int | None:
        known = _STREAMS.get(str(path)) if isinstance(path, str | os.PathLike) else None
        return None if known is None else os.dup(known)

    def open_(file: Any, *arguments: Any, **named: Any) -> Any:
        descriptor = stream(file)
        return original(file if descriptor is None else descriptor, *arguments, **named)

    def os_open(path: Any, *arguments: Any, **named: Any) -> int:
        descriptor = stream(path)
        return original_os(path, *arguments, **named) if descriptor is None else descriptor

    builtins.open = io.open = open_
    os.open = os_open


def _bound_stacks() -> None:
    """A thread's stack counts as memory when it is reserved, and a program asks for half a gigabyte of it to be safe."""
    original = threading.stack_size

    def stack_size(size: int = 0) -> int:
        return original(min(size, _STACK_BYTES))

    threading.stack_size = stack_size


def _finish() -> None:
    """What an interpreter does when a program's last line is over: wait for its threads, run what it registered, flush.

    The program's names go last, which writes what its open files still hold.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.__stdout__):
        if stream is not None and not getattr(stream, "closed", False):
            stream.flush()
    vars(sys.modules["__main__"]).clear()
    if sys.__stdout__ is not None and not sys.__stdout__.closed:
        sys.__stdout__.flush()  # what the end of an object printed


def run_whole(channel: int) -> None:
    """A whole program, on the standard input and output that the supervisor gave; never returns."""
    request = read_frame(channel, MAX_FRAME)
    _open_streams_by_name()
    _bound_stacks()
    status, raised = 0, None
    try:
        load(request["source"], "__main__")
    except SystemExit as error:
        status, raised = (0 if error.code is None or error.code == 0 else 1), describe(error)
    except BaseException as error:
        status, raised = 1, describe(error)
    try:
        _finish()
    except BaseException as error:
        status, raised = 1, raised or describe(error)
    if raised is not None:
        write_frame(channel, {"raised": raised})
    os._exit(status)
