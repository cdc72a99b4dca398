"""The tests' side: the program's functions are stubs that ask another process, and only plain data comes back.

An object of the program's own classes is held here as an inert reference: it equals nothing but itself, has no truth
value and no operators. References that a constructor gave also have methods; others only show attributes that are
plain. Which names are constructors is decided by the tests' spelling (a capital), never by the program.

Tests that look into the program rather than call it (its signature, its documentation, its operators), or patch what it
would use, would see these stand-ins instead. Every such look ends the run, which then tells nothing.
"""

# ruff: noqa: BLE001

from __future__ import annotations

import builtins
import contextlib
import importlib
import io
import os
import sys
import types
import unittest
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from .codec import CodecError, ForeignType, decode, encode
from .frames import MAX_FRAME, MAX_REPLY, FrameError, read_frame, write_frame
from .program import describe, seed_generators
from .suite import CHECK, ENTERED, Kind, Suite, read_suite

DIED = "died"
_STREAMS = ("stdin", "stdout", "stderr")


class ProgramFault(BaseException):
    """The program died or broke the protocol. Not an Exception: tests that swallow everything cannot swallow this."""


class CannotSplit(BaseException):
    """The tests hand the program something that cannot cross the process boundary."""


class Looked(BaseException):
    """The tests looked at what stands in for the program here: they cannot tell."""


class Unrun(BaseException):
    """The suite has tests that nobody has run: they cannot tell."""


class Link:
    """The channel to the program during one run of a suite."""

    def __init__(self, channel: int) -> None:
        self.channel = channel
        self.calls = 0
        self.fault: BaseException | None = None
        self.callbacks: list[Any] = []
        self.references: dict[int, Reference] = {}
        self._unpatched: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def watch(self, modules: Iterable[types.ModuleType]) -> None:
        """Remember the functions, classes and streams of modules, which tests may patch for the program to find."""
        for module in modules:
            names = vars(module)
            kept = {name: value for name, value in names.items() if callable(value) or name in _STREAMS}
            self._unpatched.append((names, kept))

    def refuse(self, what: str) -> NoReturn:
        """End the run: nothing that the tests catch brings it back."""
        self.fault = self.fault or Looked(what)
        raise self.fault

    def _check_unpatched(self) -> None:
        for names, kept in self._unpatched:
            for name, value in kept.items():
                if names.get(name) is not value:
                    self.refuse(f"they patch {name}")
        if sys.gettrace() is not None or sys.getprofile() is not None:
            self.refuse("they trace calls")

    def ask(self, request: dict[str, Any], arguments: tuple[Any, ...] = (), named: dict[str, Any] | None = None) -> Any:
        """The decoded answer; the program's own exception where it raised one."""
        if self.fault is not None:
            raise self.fault
        self._check_unpatched()
        self.calls += 1
        try:
            request["a"] = encode(list(arguments), self._export)
            request["k"] = encode(named or {}, self._export)
        except ForeignType as error:
            self.fault = CannotSplit(str(error))
            raise self.fault from None
        except CodecError as error:  # too deep or too long, which an answer of the program that is handed back may be
            self.refuse(f"they pass what is too large ({error})")
        try:
            reply = self._exchange(request)
            if "raised" not in reply:
                if "codec" in reply:
                    raise ProgramFault(f"returned what is not plain data: {str(reply['codec'])[:200]}")
                if "method" in reply:
                    return NotImplemented
                if "a" in reply:
                    _copy_back(arguments, decode(reply["a"], self._resolve))
                return decode(reply["value"], self._resolve)
        except ProgramFault as fault:
            self.fault = fault
            raise
        except (FrameError, OSError):
            self.fault = ProgramFault(DIED)
            raise self.fault from None
        except (CodecError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            self.fault = ProgramFault(f"answered with nonsense ({type(error).__name__})")
            raise self.fault from None
        raise _remote_exception(reply)

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        write_frame(self.channel, request)
        while True:
            reply = read_frame(self.channel, MAX_REPLY)
            if type(reply) is not dict:
                raise CodecError("no reply")
            if "callback" not in reply:
                return reply
            write_frame(self.channel, self._call_back(reply))

    def _call_back(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run a function of the tests that the program was given."""
        function = self.callbacks[request["callback"]]
        arguments = decode(request["a"], self._resolve)
        named = decode(request["k"], self._resolve)
        try:
            return {"value": encode(function(*arguments, **named), self._export)}
        except BaseException as error:
            return {"raised": [], "text": describe(error, "<tests>")}

    def _export(self, value: Any) -> list[Any]:
        kind = type(value)
        if kind is Stub:
            return ["g", object.__getattribute__(value, "_path")]
        if issubclass(kind, Reference):
            return ["h", object.__getattribute__(value, "_key")]
        if kind is _RemoteClass:
            return ["g", type.__getattribute__(value, "__name__")]
        # What of the builtins is not in the codec's list, such as eval, would run the program's text here.
        is_builtin = kind is types.BuiltinFunctionType and value.__module__ == "builtins"
        if kind in (types.FunctionType, types.MethodType, types.BuiltinFunctionType) and not is_builtin:
            self.callbacks.append(value)
            return ["k", len(self.callbacks) - 1]
        raise ForeignType(f"the tests pass a {kind.__module__}.{kind.__qualname__}")

    def _resolve(self, data: list[Any]) -> Any:
        tag, key = data
        if tag != "h" or type(key) is not int:
            raise CodecError("an unknown tag")
        if key not in self.references:
            reference: Reference = object.__new__(Reference)
            object.__setattr__(reference, "_link", self)
            object.__setattr__(reference, "_key", key)
            object.__setattr__(reference, "_methods", False)
            self.references[key] = reference
        return self.references[key]


class Reference:
    """An object in the program's process."""

    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":
            return object.__getattribute__(self, name)
        link, key = object.__getattribute__(self, "_link"), object.__getattribute__(self, "_key")
        constructed = object.__getattribute__(self, "_methods")
        if name.startswith("__"):
            if constructed:
                link.refuse(f"they look at {name} of an object of the program")
            raise AttributeError(name)
        value = link.ask({"op": "attribute", "h": key, "name": name})
        if value is not NotImplemented:
            return value
        if not constructed:
            raise AttributeError(f"{name}: methods of a returned object are not called across the process boundary")
        return lambda *arguments, **named: link.ask({"op": "method", "h": key, "name": name}, arguments, named)

    def __setattr__(self, name: str, value: Any) -> None:
        _refuse_operator(self, "__setattr__")


def _refuse_operator(reference: Reference, name: str) -> NoReturn:
    """What is constructed by the tests has operators of the program's; what the program returned should be plain data."""
    if object.__getattribute__(reference, "_methods"):
        object.__getattribute__(reference, "_link").refuse(f"they use {name} of an object of the program")
    raise TypeError(f"an object of the program has no {name} here")


def _operator(name: str) -> Callable[..., Any]:
    def refuse(self: Reference, *_arguments: Any) -> Any:
        if name in _IDENTITY and not object.__getattribute__(self, "_methods"):
            return getattr(object, name)(self, *_arguments)
        _refuse_operator(self, name)

    return refuse


_IDENTITY = frozenset(["__eq__", "__ne__", "__hash__", "__repr__", "__str__", "__format__"])
"""Returned objects keep these of `object`, so that a program cannot end a run by returning one."""
_MADE_LIKE_ANY = frozenset(
    ["__class__", "__new__", "__init__", "__init_subclass__", "__subclasshook__", "__del__", "__get__"]
)
"""Neither operators of the object, nor looks at it."""
_WITH_OPERATORS = (int, float, str, list, dict, set, memoryview, slice, types.FunctionType, types.GeneratorType,
                   types.CoroutineType, types.AsyncGeneratorType, io.StringIO, os.DirEntry)  # fmt: skip
for _kind in _WITH_OPERATORS:
    for _name in set(dir(_kind)) - _MADE_LIKE_ANY - set(vars(Reference)):
        if _name.startswith("__") and callable(getattr(_kind, _name, None)):
            setattr(Reference, _name, _operator(_name))


class Stub:
    """A function in the program's process."""

    def __init__(self, link: Link, path: str) -> None:
        object.__setattr__(self, "_link", link)
        object.__setattr__(self, "_path", path)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        link, path = object.__getattribute__(self, "_link"), object.__getattribute__(self, "_path")
        return link.ask({"op": "call", "name": path}, arguments, named)

    def __getattribute__(self, name: str) -> Any:
        if name == "__name__":  # unittest and threading ask for it, and do without
            raise AttributeError(name)
        object.__getattribute__(self, "_link").refuse(f"they look at {name} of a function of the program")

    def __setattr__(self, name: str, value: Any) -> None:
        object.__getattribute__(self, "_link").refuse(f"they set {name} of a function of the program")

    def __repr__(self) -> str:
        return f"<function {object.__getattribute__(self, '_path')}>"


class _RemoteClass(type):
    """Class attributes and static methods are asked for; everything else behaves like a class."""

    def __new__(cls, name: str, bases: tuple[type, ...], space: dict[str, Any]) -> _RemoteClass:
        for base in bases:
            if type(base) is _RemoteClass:
                _link_of(base).refuse("they derive a class from one of the program's")
        return super().__new__(cls, name, bases, space)

    def __call__(cls, *arguments: Any, **named: Any) -> Any:
        link, path = _link_of(cls), type.__getattribute__(cls, "__name__")
        made = link.ask({"op": "call", "name": path}, arguments, named)
        if type(made) is not Reference:
            raise TypeError(f"{path} is not a class")
        key = object.__getattribute__(made, "_key")
        reference: Reference = object.__new__(cls)  # type: ignore[arg-type]
        for name, value in (("_link", link), ("_key", key), ("_methods", True)):
            object.__setattr__(reference, name, value)
        link.references[key] = reference
        return reference

    def __getattribute__(cls, name: str) -> Any:
        if name in ("__name__", "__module__", "__class__"):
            return type.__getattribute__(cls, name)
        link, path = _link_of(cls), type.__getattribute__(cls, "__name__")
        if name.startswith("_"):
            link.refuse(f"they look at {name} of a class of the program")
        value = link.ask({"op": "attribute", "of": path, "name": name})
        if value is not NotImplemented:
            return value
        return lambda *arguments, **named: link.ask({"op": "method", "of": path, "name": name}, arguments, named)

    def __setattr__(cls, name: str, value: Any) -> None:
        _link_of(cls).refuse(f"they set {name} of a class of the program")

    def __instancecheck__(cls, value: Any) -> bool:
        if type(value) is cls:
            return True
        if issubclass(type(value), Reference):
            _refuse_operator(value, "__class__")
        return False

    def __subclasscheck__(cls, other: type) -> bool:
        if other is not cls and type(other) is _RemoteClass:
            _link_of(cls).refuse("they ask for the base classes of one of the program's")
        return other is cls


def _link_of(remote: type) -> Link:
    link: Link = type.__getattribute__(remote, "_remote_link")
    return link


def _remote_class(link: Link, path: str) -> type:
    return _RemoteClass(path, (Reference,), {"_remote_link": link})


class Checks:
    """What the suite's own assertions tell of themselves as they are executed (`suite.py` puts the calls there)."""

    def __init__(self, answers: Callable[[], int]) -> None:
        self._answers = answers
        self.held = 0
        """Checks about the program that were executed after it had answered something, and held."""
        self.broken = 0
        """Assertions that did not hold."""
        self.entered: set[str] = set()
        """Which of `Suite.named` have been called, by the tests themselves or by `run_suite`."""

    def check(self, value: Any, about: bool, kind: Kind) -> Any:
        """Pass on the value of an expression. `about`: the check can fail and reads what the program may have made."""
        if kind == "asserted":
            value = bool(value)
        if (kind == "asserted" and not value) or (kind == "caught" and _is_failure(sys.exc_info()[1])):
            self.broken += 1
        elif about and self._answers() > 0:
            self.held += 1
        return value

    def report(self, kind: str, text: str = "", *, helped: bool = False) -> dict[str, Any]:
        """The run as plain data, which the supervisor judges."""
        return {"kind": kind, "text": text[:400], "checks": self.held, "swallowed": self.broken, "helped": helped}


def _is_failure(error: BaseException | None) -> bool:
    """Whether an exception that a suite caught is one of its own assertions."""
    if not isinstance(error, AssertionError) or error.__traceback__ is None:
        return False
    trace = error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_filename not in (__file__, "<program>")


def _copy_back(arguments: tuple[Any, ...], changed: Any) -> None:
    """Do to the caller's lists, dicts and sets what the program did to its copies."""
    for original, after in zip(arguments, changed, strict=False):
        if type(original) is not type(after):
            continue
        if type(original) is list or type(original) is bytearray:
            original[:] = after
        elif type(original) in (dict, set):
            original.clear()
            original.update(after)


def _remote_exception(reply: dict[str, Any]) -> Exception:
    """The program's exception as the nearest builtin one."""
    names = reply["raised"] if type(reply["raised"]) is list else []
    kind: type[Exception] = RuntimeError
    for name in names:
        builtin = getattr(builtins, name, None) if type(name) is str else None
        if isinstance(builtin, type) and issubclass(builtin, Exception):
            # A StopIteration would end a map() of the tests early, and `all` of nothing holds.
            kind = RuntimeError if issubclass(builtin, StopIteration | StopAsyncIteration) else builtin
            break
    try:
        arguments = decode(reply["arguments"])
        error = kind(*arguments) if type(arguments) is list else kind(str(reply["text"])[:300])
    except BaseException:
        error = RuntimeError(str(reply.get("text"))[:300])
    error.__notes__ = [str(reply.get("text"))[:300]]
    return error


def run_suite(
    suite: Suite,
    entry: str | None,
    candidate: Any,
    namespace: dict[str, Any],
    checks: Checks,
    *,
    keep: dict[str, Any] | None = None,
) -> None:
    """Run a suite in `namespace`; returns when everything held.

    Asserts run as they stand, then what the suite has not called itself: `check(candidate)`, `unittest` cases, `test_...`
    functions without parameters and those of `Test...` classes. Unrun where a test is left. `keep` puts the program's own
    names back over the prelude's.
    """
    namespace[CHECK], namespace[ENTERED] = checks.check, checks.entered.add
    if suite.prelude is not None:
        exec(suite.prelude, namespace)
        if keep is not None:
            namespace.update({name: value for name, value in keep.items() if not name.startswith("__")})
    if entry is not None and "." not in entry:
        namespace[entry] = candidate
    before = set(namespace)
    try:
        exec(suite.tests, namespace)
    except SystemExit as leaving:
        if leaving.code:
            raise
        raise Unrun("they leave by exit, which says nothing") from None
    defined = {name: value for name, value in namespace.items() if name not in before or name == "check"}
    functions = {name: value for name, value in defined.items() if type(value) is types.FunctionType}
    if entry is not None and entry != "check" and "check" in functions and "check" not in checks.entered:
        functions["check"](candidate)
    classes = [value for value in defined.values() if issubclass(type(value), type) and type(value) is not _RemoteClass]
    cases = [value for value in classes if issubclass(value, unittest.TestCase)]
    if cases:
        _run_cases(cases)
    for name, function in functions.items():
        if name.startswith("test") and name not in checks.entered and not _wants_arguments(function):
            function()
    for plain in classes:
        if plain not in cases:
            _run_methods(plain, suite.named - checks.entered)
    by_unittest = {case.__name__ for case in cases}
    left = sorted(label for label in suite.named - checks.entered if label.partition(".")[0] not in by_unittest)
    if left:
        raise Unrun(f"nothing runs {', '.join(left)}")


def _wants_arguments(function: types.FunctionType, given: int = 0) -> bool:
    code, defaults, named = function.__code__, function.__defaults__ or (), function.__kwdefaults__ or {}
    return code.co_argcount - len(defaults) > given or code.co_kwonlyargcount > len(named)


def _run_methods(kind: type, labels: frozenset[str]) -> None:
    """Run the tests of a plain class, each on an instance of its own."""
    for name, function in list(vars(kind).items()):
        is_one = f"{kind.__name__}.{name}" in labels and type(function) is types.FunctionType
        if is_one and not _wants_arguments(function, 1):
            case = kind()
            for step in ("setup_method", name, "teardown_method"):
                method = getattr(case, step, None)
                if method is not None:
                    method(*[None] * (step != name and _wants_arguments(method.__func__, 1)))


def _run_cases(cases: list[type[unittest.TestCase]]) -> None:
    result = unittest.TestResult()
    for case in cases:
        unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    if not result.wasSuccessful() or result.testsRun == 0:
        problems = result.failures + result.errors
        text = problems[0][1].strip().splitlines()[-1] if problems else "no test case ran"
        raise AssertionError(f"{len(problems)} of {result.testsRun} test cases failed: {text}"[:300])


def _bind(suite: Suite, entry: str | None, names: dict[str, Any], link: Link, namespace: dict[str, Any]) -> Any:
    """Put stubs for the program's names into `namespace`; the stub of the entry point."""
    for name in suite.wanted:
        if name in names and name != entry:
            kind = names[name]
            if name[:1].isupper() and kind == "class":
                namespace[name] = _remote_class(link, name)
            elif kind in ("function", "class"):
                namespace[name] = Stub(link, name)
            else:
                namespace[name] = _fetch(link, name)
        elif name in suite.modules:
            namespace[name] = importlib.import_module(suite.modules[name])
    if entry is None:
        return None
    if names.get(entry) == "class" and entry[:1].isupper():
        return _remote_class(link, entry)
    return Stub(link, entry)


def _imported_modules(suite: Suite) -> list[types.ModuleType]:
    """The modules that a suite imports, as far as they can be imported."""
    modules = []
    for name in suite.imports:
        with contextlib.suppress(Exception):
            modules.append(importlib.import_module(name))
    return modules


def _fetch(link: Link, name: str) -> Any:
    """A constant of the program; a constant that is not plain data is only a fault where it is used."""
    return link.ask({"op": "data", "name": name})


def run_split(suite: Suite, entry: str | None, channel: int) -> dict[str, Any]:
    """What a suite says of the program behind `channel`."""
    link = Link(channel)
    checks = Checks(lambda: link.calls)
    try:
        first = read_frame(channel, 1 << 20)
    except (FrameError, OSError, ValueError, RecursionError):
        return checks.report("died")
    if type(first) is not dict or type(first.get("names")) is not dict:
        text = str(first.get("failed") if type(first) is dict else None)
        return checks.report("memory" if text.startswith("MemoryError") else "loading", text)
    module = types.ModuleType("tests")
    sys.modules["tests"] = module
    namespace = module.__dict__
    error: BaseException | None = None
    try:
        candidate = _bind(suite, entry, first["names"], link, namespace)
        link.watch([builtins, sys, *_imported_modules(suite)])
        run_suite(suite, entry, candidate, namespace, checks)
    except BaseException as caught:
        error = caught
    return report_of(link.fault or error, checks, helped=suite.helped)


def report_of(error: BaseException | None, checks: Checks, *, helped: bool = False) -> dict[str, Any]:
    """What a suite that ended so says."""
    if error is None:
        return checks.report("ended", helped=helped)
    if isinstance(error, Looked):
        return checks.report("looked", str(error))
    if isinstance(error, Unrun):
        return checks.report("unrun", str(error))
    if isinstance(error, CannotSplit):
        return checks.report("inseparable", str(error))
    if isinstance(error, ProgramFault):
        return checks.report("died" if str(error) == DIED else "fault", str(error))
    notes = getattr(error, "__notes__", None)
    if notes and type(notes[0]) is str:
        kind = "memory" if notes[0].startswith("MemoryError") else "raised"
        return checks.report(kind, f"the program raised {notes[0]}")
    return checks.report("memory" if isinstance(error, MemoryError) else "raised", describe(error, "<tests>"))


def serve(control: int, channel: int) -> None:
    """Run one suite against the program behind `channel`, say what it says, and wait for the end."""
    request = read_frame(control, MAX_FRAME)
    write_frame(control, _answer(request, channel))
    os.read(control, 1)


def _answer(request: dict[str, Any], channel: int) -> dict[str, Any]:
    seed_generators()
    nothing = Checks(lambda: 0)
    try:
        suite = read_suite(request["tests"], request["prelude"], request["entry"])
    except BaseException as error:
        return nothing.report("unreadable", describe(error, "<tests>"))
    if suite.inseparable and request["mode"] == "auto":
        return nothing.report("inseparable", suite.inseparable)
    return run_split(suite, request["entry"], channel)
