"""The graph that langgraph.json serves: the same graph as the command line's, over a workbench of its own."""

from __future__ import annotations

from rlar.agent.bench import Workbench
from rlar.agent.graph import make_graph

graph = make_graph(Workbench())
