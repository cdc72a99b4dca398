"""Starts the fork server from a bare interpreter: `python -S -s -P boot.py <control descriptor> <config>`.

The package is loaded by path under a private name, so that neither rlar nor its directory is on the jail's sys.path.
"""

# ruff: noqa: E402, PTH100, PTH118, PTH120

import importlib.util
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
_SPEC = importlib.util.spec_from_file_location(
    "_rlar_inside",
    os.path.join(_HERE, "__init__.py"),
    submodule_search_locations=[_HERE],
)
if _SPEC is None or _SPEC.loader is None:
    raise SystemExit("the sandbox's own files are missing")
_PACKAGE = importlib.util.module_from_spec(_SPEC)
sys.modules["_rlar_inside"] = _PACKAGE
_SPEC.loader.exec_module(_PACKAGE)

from _rlar_inside.server import main

if __name__ == "__main__":
    main()
