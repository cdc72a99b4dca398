"""A child for tests/test_process.py: does what each frame says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

from rlar.process import Pipe, limit_memory, to_json


def main() -> None:
    pipe = Pipe(dies_with_parent="orphan" in sys.argv)
    while (body := pipe.receive()) is not None:
        order, value = json.loads(body)
        if order == "print":
            print(value)
            sys.stdout.flush()
        elif order == "sleep":
            time.sleep(value)
        elif order == "exit":
            print(value[1], file=sys.stderr)
            sys.stderr.flush()
            os._exit(value[0])
        elif order == "spawn":
            value = subprocess.Popen(["sleep", "600"]).pid
        elif order == "fill":
            limit_memory(64 << 20)
            try:
                value = len(bytearray(value))
            except MemoryError:
                value = "MemoryError"
        pipe.send(to_json(value))


main()
