"""Parsing from several threads: CPython keeps one depth counter for all of them."""

from __future__ import annotations

import gc
import threading
import time

from rlar.text.python import literal, parse_python, syntax_tree


class Yields:
    """Garbage whose finaliser lets another thread run, in the middle of a parse if collection happens there."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        time.sleep(0)


def test_threads_that_parse_while_garbage_is_collected_do_not_disturb_each_other():
    source = "\n".join(
        f"def f{n}(a, b):\n    return [a + b * {n} for _ in range({n}) if a or (b and not a)]" for n in range(60)
    )
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(12):
                for _ in range(50):
                    Yields()
                assert len(syntax_tree(source).body) == 60
                assert parse_python("f(1)") is not None and literal("[1, (2, 3)]") == (True, [1, (2, 3)])
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    before = gc.get_threshold()
    gc.set_threshold(200, 2, 2)
    try:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.set_threshold(*before)
    assert errors == []
