"""The two interpreters that a pool can start: what they import beforehand and which directories they may read."""

from __future__ import annotations

import importlib.util
import os
import site
import sys
import sysconfig
from functools import cache
from pathlib import Path

from rlar.sandbox.engine import Image

_LIGHT = """
    json re math cmath decimal fractions collections collections.abc itertools functools heapq bisect statistics
    string datetime typing copy random operator unittest hashlib traceback inspect dataclasses enum abc numbers
    array struct queue textwrap difflib calendar time zlib base64 binascii io contextlib types warnings threading
    timeit pprint csv html urllib.parse unicodedata keyword ast tokenize secrets uuid graphlib zoneinfo locale
    encodings.idna encodings.utf_8_sig encodings.ascii encodings.latin_1 encodings.unicode_escape encodings.cp437
    shlex fnmatch hmac reprlib weakref ipaddress colorsys cProfile optparse argparse logging sqlite3
    """.split()  # noqa: SIM905
_HEAVY = ["numpy", "sympy", "math_verify", "sacrebleu"]
# Imported on first use otherwise, which tier sec cannot do.
_HEAVY_PARTS = ["numpy.random", "numpy.linalg", "numpy.fft", "numpy.ma", "numpy.polynomial", "sympy.abc"]
IMAGES: dict[Image, list[str]] = {"light": _LIGHT, "heavy": [*_HEAVY, *_HEAVY_PARTS, *_LIGHT]}

_SYSTEM_DIRECTORIES = ("/usr/lib", "/usr/local/lib", "/lib", "/lib64", "/usr/lib64", "/usr/share/zoneinfo")
_SYSTEM_FILES = ("/etc/localtime", "/etc/ld.so.cache")
_TOO_WIDE = frozenset(Path(path) for path in ("/", "/usr", "/home", "/root", "/etc", "/var", "/opt", "/tmp"))


@cache
def interpreter_path() -> tuple[str, ...]:
    """An explicit sys.path: the standard library and installed packages.

    Directories that `.pth` files, editable installs, PYTHONPATH or the working directory added hold the user's own
    projects (and secrets), so they are left out and stay unreadable.
    """
    standard = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    standard += [str(Path(path) / "lib-dynload") for path in standard]
    installed = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()]
    if site.ENABLE_USER_SITE:
        installed.append(site.getusersitepackages())
    installed += [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    installed += [str(parent) for parent in map(_home_of, _HEAVY) if parent is not None]
    paths = dict.fromkeys(str(Path(path)) for path in (*standard, *installed) if path and _is_readable(path))
    return tuple(path for path in paths if Path(path) not in _TOO_WIDE)


def _is_readable(path: str) -> bool:
    """A folder of packages may lie in a home that this user cannot enter, as after `su` without `-`."""
    return os.access(path, os.R_OK)


def _home_of(module: str) -> Path | None:
    """The directory that a heavy package was installed into (`pip install --target`); None inside a source tree."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return None
    home = Path(spec.origin).parent.parent
    is_project = any((home / name).exists() for name in (".git", "pyproject.toml", "setup.py", "setup.cfg"))
    return None if is_project else home


@cache
def readable_paths() -> tuple[str, ...]:
    """Everything a jailed process may read: libraries and packages, no home and no project."""
    prefix_libraries = [str(Path(prefix) / "lib") for prefix in (sys.base_prefix, sys.prefix)]
    candidates = [*_SYSTEM_DIRECTORIES, *_SYSTEM_FILES, *prefix_libraries, *interpreter_path()]
    readable = dict.fromkeys(path for path in candidates if _is_readable(path) and Path(path) not in _TOO_WIDE)
    # Parents first, so that what lies below an already bound directory is recognised as such.
    return tuple(sorted(readable, key=lambda path: (path.count("/"), path)))
