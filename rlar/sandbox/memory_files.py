"""Standard input and output of a jailed program as files in memory: nothing to drain, no pipe to fill, size limited."""

from __future__ import annotations

import os

from rlar.sandbox.results import Limits


class Output:
    """A file in memory that takes what a program prints, bounded by its file size limit."""

    def __init__(self, limits: Limits) -> None:
        self._bytes = limits.output_bytes

    def __enter__(self) -> Output:
        self.descriptor = os.memfd_create("output", os.MFD_CLOEXEC)
        return self

    def read(self) -> str:
        """What was written, cut at the limit; bytes that are no UTF-8 are replaced."""
        return os.pread(self.descriptor, self._bytes, 0).decode("utf-8", "replace")

    def __exit__(self, *_exc: object) -> None:
        os.close(self.descriptor)


class Input:
    """A file in memory with a program's standard input; no descriptor where there is none."""

    def __init__(self, data: bytes | None) -> None:
        self._data = data
        self.descriptors: list[int] = []

    def __enter__(self) -> Input:
        if self._data is not None:
            self.descriptors = [os.memfd_create("input", os.MFD_CLOEXEC)]
            view = memoryview(self._data)
            while view:
                view = view[os.write(self.descriptors[0], view) :]
            os.lseek(self.descriptors[0], 0, os.SEEK_SET)
        return self

    def __exit__(self, *_exc: object) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)
