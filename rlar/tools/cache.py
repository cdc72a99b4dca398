"""A small thread-safe cache in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class LruCache(Generic[Key, Value]):
    """The `size` most recently used values, by key."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key) -> Value | None:
        return self.get_many((key,))[0]

    def get_many(self, keys: Iterable[Key]) -> list[Value | None]:
        """The value of every key, in order; None where there is none."""
        values = self._values
        found: list[Value | None] = []
        with self._lock:
            for key in keys:
                value = values.get(key)
                if value is not None:
                    values.move_to_end(key)
                found.append(value)
        return found

    def put(self, key: Key, value: Value) -> None:
        self.put_many({key: value})

    def put_many(self, values: Mapping[Key, Value]) -> None:
        """Take all values; the oldest others go."""
        with self._lock:
            for key, value in values.items():
                self._values[key] = value
                self._values.move_to_end(key)
            while len(self._values) > self._size:
                self._values.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._values.clear()
