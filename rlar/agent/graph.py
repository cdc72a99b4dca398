"""The build as one LangGraph: classify -> (per task: retrieve -> self_test <-> generate -> register) -> assign -> finish.

```
classify --Send per task--> build_task [retrieve <-> approve; retrieve -> self_test <-> generate -> register]
         --join--> assign -> finish
```

State holds JSON values only; live things come from the Workbench. Nodes are plain functions, so they run in
threads and may touch SQLite and the sandbox (the dev server forbids blocking calls in coroutines).
"""

from __future__ import annotations

from typing import Any, Literal

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Send

from rlar.agent.generate import wants_writer
from rlar.agent.state import TASK_NODE, BuildInput, BuildState, TaskResult, TaskState
from rlar.agent.workbench import Workbench
from rlar.config import BuildConfig, make_config
from rlar.types import Certificate, TaskSpec, ToolSpec

GRAPH_NAME = "build-tools"

Graph = CompiledStateGraph[Any, Any, Any, Any]
"""A compiled graph of this module."""


def config_of(bench: Workbench, state: dict[str, Any]) -> BuildConfig:
    """The caller's BuildConfig; without one that inside a state, where what Studio's form leaves out takes its default."""
    if bench.config is not None:
        return bench.config
    fields = BuildConfig.model_fields
    return make_config({name: state[name] for name in fields if name in state}, source="input")


def make_task_graph(bench: Workbench) -> Graph:
    """The subgraph of one task."""

    def settings_of(state: TaskState) -> BuildConfig:
        return bench.config or make_config(state["settings"])

    def retrieve(state: TaskState) -> dict[str, Any]:
        from rlar.agent.retrieve import retrieve_candidates

        emit, config, task = get_stream_writer(), settings_of(state), TaskSpec.model_validate(state["task"])
        emit({"event": "retrieving", "fingerprint": task.fingerprint})
        update = retrieve_candidates(bench, config, task, state.get("decisions", {}))
        emit(
            {
                "event": "retrieved",
                "fingerprint": task.fingerprint,
                "candidates": len(update["candidates"]),
                "passed_over": len(update["passed_over"]),
                "downloaded": update["downloaded"],
            }
        )
        return {**update, "downloaded": state.get("downloaded", 0) + update["downloaded"]}

    def after_retrieve(state: TaskState) -> Literal["approve", "self_test"]:
        return "approve" if state.get("approvals") else "self_test"

    def approve(state: TaskState) -> dict[str, Any]:
        from rlar.agent.approve import ask_for_approval

        decided = ask_for_approval(state["task"], state.get("approvals", []))
        return {"decisions": {**state.get("decisions", {}), **decided}, "approvals": []}

    def self_test(state: TaskState) -> dict[str, Any]:
        from rlar.agent.admit import test_candidates

        task = TaskSpec.model_validate(state["task"])
        tools = [ToolSpec.model_validate(item) for item in state.get("candidates", [])]
        found = test_candidates(bench, settings_of(state), task, tools, get_stream_writer())
        certificates = [item.model_dump(mode="json") for item in found.certificates]
        return {
            "certificates": [*state.get("certificates", []), *certificates],
            "candidates": [],
            "notes": [*state.get("notes", []), *found.notes],
        }

    def after_self_test(state: TaskState) -> Literal["generate", "register"]:
        config = settings_of(state)
        asks = wants_writer(bench, config, certificates_of(state), state.get("attempts", 0))
        return "generate" if asks else "register"

    def generate(state: TaskState) -> dict[str, Any]:
        from rlar.agent.generate import generate_tools, with_witnesses

        config, task = settings_of(state), TaskSpec.model_validate(state["task"])
        attempts = state.get("attempts", 0)
        get_stream_writer()({"event": "writing", "fingerprint": task.fingerprint, "attempt": attempts + 1})
        task, notes = with_witnesses(bench, config, task)
        tools = [ToolSpec.model_validate(item) for item in state.get("tools", [])]
        update = generate_tools(bench, config, task, tools, certificates_of(state), attempts)
        return {
            **update,
            "task": task.model_dump(mode="json"),
            "notes": [*state.get("notes", []), *notes, *update["notes"]],
            "passed_over": [*state.get("passed_over", []), *update["passed_over"]],
        }

    def after_generate(state: TaskState) -> Literal["self_test", "generate", "register"]:
        if state.get("candidates"):
            return "self_test"
        config = settings_of(state)
        asks = state.get("written") and wants_writer(bench, config, certificates_of(state), state.get("attempts", 0))
        return "generate" if asks else "register"

    def register(state: TaskState) -> dict[str, Any]:
        from rlar.agent.register import register_task

        outcome = register_task(
            bench,
            settings_of(state),
            TaskSpec.model_validate(state["task"]),
            [ToolSpec.model_validate(item) for item in state.get("tools", [])],
            certificates_of(state),
            state.get("notes", []),
            passed_over=state.get("passed_over", []),
            downloaded=state.get("downloaded", 0),
        )
        get_stream_writer()({"event": "registered", **outcome})
        return {"outcomes": [outcome]}

    graph = StateGraph(TaskState, output_schema=TaskResult)
    graph.add_node("retrieve", retrieve)
    graph.add_node("approve", approve)
    graph.add_node("self_test", self_test)
    graph.add_node("generate", generate)
    graph.add_node("register", register)
    graph.add_edge(START, "retrieve")
    graph.add_conditional_edges("retrieve", after_retrieve)
    graph.add_edge("approve", "retrieve")
    graph.add_conditional_edges("self_test", after_self_test)
    graph.add_conditional_edges("generate", after_generate)
    graph.add_edge("register", END)
    return graph.compile(name=TASK_NODE)


def thread_of(run: RunnableConfig) -> str:
    """The id of the thread that a node runs in: the id of the build."""
    return str(run["configurable"]["thread_id"])


def certificates_of(state: TaskState) -> list[Certificate]:
    """The certificates of a task so far."""
    return [Certificate.model_validate(item) for item in state.get("certificates", [])]


def make_graph(bench: Workbench, checkpointer: Any = None) -> Graph:
    """The build graph over a workbench. The dev server passes no checkpointer and brings its own."""

    def classify(state: BuildState, config: RunnableConfig) -> dict[str, Any]:
        from rlar.agent.classify import classify_rows

        settings = config_of(bench, dict(state))
        update = classify_rows(bench, settings, get_stream_writer())
        bench.registry(settings.registry).start_build(settings.model_dump(mode="json"), build_id=thread_of(config))
        return {**update, **settings.model_dump(mode="json")}

    def fan_out(state: BuildState) -> list[Send] | str:
        settings = config_of(bench, dict(state)).model_dump(mode="json")
        sends = [Send(TASK_NODE, {"task": task, "settings": settings}) for task in state.get("tasks", [])]
        return sends or "assign"

    def assign(state: BuildState) -> dict[str, Any]:
        from rlar.agent.classify import assign_rows

        rows = state.get("rows", {})
        expected = rows.get("accepted", 0)
        found = assign_rows(bench, config_of(bench, dict(state)), get_stream_writer(), expected_rows=expected)
        return {"rows": {**rows, **found}}

    def finish(state: BuildState, config: RunnableConfig) -> dict[str, Any]:
        from rlar.agent.finish import finish_build

        settings = config_of(bench, dict(state))
        summary = finish_build(bench, settings, dict(state))
        bench.registry(settings.registry).finish_build(thread_of(config), summary)
        bench.release(settings)
        return {"summary": summary}

    graph = StateGraph(BuildState, input_schema=BuildInput)
    graph.add_node("classify", classify)
    graph.add_node(TASK_NODE, make_task_graph(bench))
    graph.add_node("assign", assign, defer=True)
    graph.add_node("finish", finish)
    graph.add_edge(START, "classify")
    graph.add_conditional_edges("classify", fan_out, [TASK_NODE, "assign"])
    graph.add_edge(TASK_NODE, "assign")
    graph.add_edge("assign", "finish")
    graph.add_edge("finish", END)
    return graph.compile(checkpointer=checkpointer, name=GRAPH_NAME)
