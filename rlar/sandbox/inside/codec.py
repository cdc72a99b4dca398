"""Plain data across a process boundary, as JSON with tags: exact types in, exact types out, never an object with behaviour.

A value of a subclass, a class instance or a function does not pass, so a program cannot return an object whose `__eq__`
says yes. `None`, bool, int, float and str stand for themselves; everything else is `[tag, ...]`.
"""

from __future__ import annotations

import builtins
import collections
import datetime
import decimal
import fractions
from collections.abc import Callable
from typing import Any

MAX_DEPTH = 100
MAX_ITEMS = 200_000
"""Items taken from an iterator before it counts as endless."""

Encoded = Any
"""A JSON value."""


class CodecError(Exception):
    """A value that cannot cross, or bytes that are no encoded value."""


class ForeignType(CodecError):
    """A value of a type that nothing decodes to: whoever sends it made it."""


_PLAIN_TYPES = {
    name: getattr(builtins, name)
    for name in """
    bool int float str bytes bytearray complex list tuple dict set frozenset range object
    """.split()  # noqa: SIM905
}
_BUILTIN_FUNCTIONS = frozenset(
    name for name, value in vars(builtins).items() if type(value) is type(len) and not name.startswith("_")
) - {"open", "input", "breakpoint", "compile", "eval", "exec", "globals", "locals", "vars", "print"}
_FUNCTION = type(len)
_ITERATORS = (map, filter, zip, enumerate, reversed)
# Larger ints go as hex: Python refuses decimal text past 4300 digits, and decimal conversion is quadratic.
_BIG = 1 << 63
_CONTAINERS = {"l": list, "t": tuple, "s": set, "f": frozenset}


def encode(value: Any, export: Callable[[Any], Encoded] | None = None, depth: int = 0) -> Encoded:
    """JSON for a plain value. `export` gets what is not plain and may return a reference to it, or raise CodecError."""
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str:
        return value if value.isascii() else _encode_text(value)
    if kind is float:
        return value if value - value == 0.0 else ["x", repr(value)]  # NaN and infinities are no JSON
    if kind is int:
        return value if -_BIG < value < _BIG else ["n", f"{value:x}"]
    if depth > MAX_DEPTH:
        raise CodecError(f"nested deeper than {MAX_DEPTH}")
    depth += 1
    if kind is list:
        return ["l", [encode(item, export, depth) for item in value]]
    if kind is tuple:
        return ["t", [encode(item, export, depth) for item in value]]
    if kind is dict:
        return ["d", _pairs(value, export, depth)]
    if kind is set:
        return ["s", [encode(item, export, depth) for item in value]]
    return _encode_rare(value, kind, export, depth)


def _encode_text(value: str) -> Encoded:
    """Text itself; half surrogates are no JSON, and two halves would come back as one character."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return ["u", value.encode("utf-8", "surrogatepass").hex()]
    return value


def _pairs(value: dict[Any, Any], export: Callable[[Any], Encoded] | None, depth: int) -> list[list[Encoded]]:
    return [[encode(key, export, depth), encode(item, export, depth)] for key, item in value.items()]


def _encode_rare(value: Any, kind: Any, export: Callable[[Any], Encoded] | None, depth: int) -> Encoded:
    if kind is frozenset:
        return ["f", [encode(item, export, depth) for item in value]]
    if kind is bytes or kind is bytearray:
        return ["b" if kind is bytes else "B", value.hex()]
    if kind is complex:
        return ["c", value.real, value.imag]
    if kind is range:
        return ["r", *(encode(part) for part in (value.start, value.stop, value.step))]
    if kind is collections.deque:
        return ["q", [encode(item, export, depth) for item in value], value.maxlen]
    if kind in (collections.OrderedDict, collections.Counter, collections.defaultdict):
        return ["D", kind.__name__, _pairs(value, export, depth)]
    if kind is decimal.Decimal:
        return ["m", str(value)[:100_000]]
    if kind is fractions.Fraction:
        return ["a", encode(value.numerator), encode(value.denominator)]
    if kind in (datetime.datetime, datetime.date, datetime.time) and getattr(value, "tzinfo", None) is None:
        return ["w", kind.__name__, value.isoformat()]
    if kind is datetime.timedelta:
        return ["e", value.days, value.seconds, value.microseconds]
    if kind is type(...) or kind is type(NotImplemented):
        return ["o", str(value)]
    if kind is type and value in _PLAIN_TYPES.values():
        return ["o", value.__name__]
    if kind is _FUNCTION and _is_builtin_function(value):
        return ["o", value.__name__]
    if (
        kind in _ITERATORS
        or kind.__name__ in ("generator", "dict_keys", "dict_values", "dict_items")
        or _is_iterator(kind)
    ):
        return _encode_iterator(value, kind, export, depth)
    if kind.__module__ == "numpy":
        return _encode_numpy(value, depth)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return ["t", [encode(item, export, depth) for item in tuple.__iter__(value)]]
    if export is not None:
        return export(value)
    raise ForeignType(f"a value of type {kind.__module__}.{kind.__qualname__} cannot cross the process boundary")


def _is_builtin_function(value: Any) -> bool:
    name: str = value.__name__
    return name in _BUILTIN_FUNCTIONS and getattr(builtins, name) is value


def _is_iterator(kind: type) -> bool:
    return kind.__module__ == "itertools" or (kind.__module__ == "builtins" and kind.__name__.endswith("iterator"))


def _encode_iterator(value: Any, kind: type, export: Callable[[Any], Encoded] | None, depth: int) -> Encoded:
    items = []
    for item in value:
        items.append(encode(item, export, depth))
        if len(items) > MAX_ITEMS:
            raise CodecError(f"an iterator of more than {MAX_ITEMS} items")
    views = {"dict_keys": "k", "dict_values": "v", "dict_items": "k"}
    return ["i", items] if kind.__name__ not in views else ["l", items]


def _encode_numpy(value: Any, depth: int) -> Encoded:
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        return encode(value.item(), None, depth)
    dtype = getattr(value, "dtype", None)
    if dtype is None or dtype.kind not in "biufcU":
        raise ForeignType(f"a numpy {type(value).__name__} cannot cross the process boundary")
    return ["y", dtype.str, encode(value.tolist(), None, depth)]


def decode(data: Encoded, resolve: Callable[[list[Any]], Any] | None = None, depth: int = 0) -> Any:
    """The value of encoded data. `resolve` gets what carries none of the codec's own tags.

    What comes out can be encoded again, but for its size: a program's answers never look like the tests' own objects.
    Raises CodecError for everything that `encode` cannot have written.
    """
    if type(data) is not list:
        if data is None or type(data) in (bool, int, float, str):
            return data
        raise CodecError("no encoded value")
    if depth > 2 * MAX_DEPTH:
        raise CodecError("nested too deep")
    try:
        return _decode_tagged(data, resolve, depth + 1)
    except CodecError:
        raise
    except (TypeError, ValueError, IndexError, KeyError, ArithmeticError, AttributeError) as error:
        raise CodecError(f"no encoded value: {type(error).__name__}") from None


def _decode_tagged(data: list[Any], resolve: Callable[[list[Any]], Any] | None, depth: int) -> Any:
    tag = data[0]
    if tag in _CONTAINERS:
        return _CONTAINERS[tag]([decode(item, resolve, depth) for item in _list(data[1])])
    if tag == "d":
        return {decode(key, resolve, depth): decode(item, resolve, depth) for key, item in _list(data[1])}
    if tag == "n":
        return int(data[1], 16)
    if tag == "x" and data[1] in ("nan", "inf", "-inf"):
        return float(data[1])
    if tag == "u":
        return bytes.fromhex(data[1]).decode("utf-8", "surrogatepass")
    if tag == "b":
        return bytes.fromhex(data[1])
    if tag == "B":
        return bytearray.fromhex(data[1])
    if tag == "c":
        return complex(float(data[1]), float(data[2]))
    if tag == "i":
        return iter([decode(item, resolve, depth) for item in _list(data[1])])
    if tag == "r":
        return range(decode(data[1]), decode(data[2]), decode(data[3]))
    if tag == "q":
        return collections.deque([decode(item, resolve, depth) for item in _list(data[1])], data[2])
    if tag == "D":
        pairs = [(decode(key, resolve, depth), decode(item, resolve, depth)) for key, item in _list(data[2])]
        return _make_mapping(data[1], pairs)
    if tag == "m":
        return decimal.Decimal(data[1])
    if tag == "a":
        return fractions.Fraction(decode(data[1]), decode(data[2]))
    if tag == "w" and data[1] in ("datetime", "date", "time"):
        moment = getattr(datetime, data[1]).fromisoformat(data[2])
        if getattr(moment, "tzinfo", None) is not None:
            raise CodecError("a time zone")
        return moment
    if tag == "e":
        return datetime.timedelta(data[1], data[2], data[3])
    if tag == "o" and (
        data[1] in _PLAIN_TYPES or data[1] in _BUILTIN_FUNCTIONS or data[1] in ("Ellipsis", "NotImplemented")
    ):
        return getattr(builtins, data[1])
    if tag == "y":
        return _decode_numpy(data[1], decode(data[2], None, depth))
    if resolve is not None:
        return resolve(data)
    raise CodecError("an unknown tag")


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise CodecError("a list was expected")
    return value


def _make_mapping(name: str, pairs: list[tuple[Any, Any]]) -> Any:
    if name == "OrderedDict":
        return collections.OrderedDict(pairs)
    if name == "Counter":
        return collections.Counter(dict(pairs))
    if name == "defaultdict":
        return collections.defaultdict(None, pairs)
    raise CodecError("an unknown mapping")


def _decode_numpy(dtype: str, items: Any) -> Any:
    if type(dtype) is not str or len(dtype) < 2 or dtype[1] not in "biufcU":
        raise CodecError("an unknown array type")
    try:
        import numpy
    except ImportError:
        return items

    array = numpy.array(items, dtype=dtype)
    if array.dtype.kind not in "biufcU":  # "<i4,<i4" is a record
        raise CodecError("an unknown array type")
    return array
