"""What makes a library tool the tool that it is."""

from __future__ import annotations

import pytest

from rlar.errors import ToolError
from rlar.kinds import LIBRARY, library_class
from rlar.tool import Resources
from rlar.tools.library import library_spec
from rlar.tools.load import load_tool
from rlar.types import ToolKind, ToolSpec


@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_every_library_entry_loads_and_says_what_it_is(name):
    tool = load_tool(library_spec(name), Resources())
    assert tool.spec.id.startswith(f"{name}-")
    tool_class = library_class(name)
    assert tool_class.name == name and tool_class.answer_kinds and tool_class.summary


def test_a_tool_of_another_version_is_refused():
    spec = ToolSpec(kind=ToolKind.LIBRARY, name="gone", source="rlar.kinds.gone:Gone")
    with pytest.raises(ToolError, match="not in this version"):
        load_tool(spec, Resources())
