"""The build as one LangGraph: classify -> (per task: retrieve -> self_test <-> generate -> register) -> assign -> finish.

```
classify --Send per task--> build_task [retrieve <-> approve; retrieve -> self_test <-> generate -> register]
         --join--> assign -> finish
```

State holds JSON values only; live things come from the Workbench. Nodes are plain functions, so they run in
threads and may touch SQLite and the sandbox (the dev server forbids blocking calls in coroutines).

What travels through the build graph: plain JSON values only, so that every checkpoint is readable in Studio.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Send
from typing_extensions import TypedDict, get_type_hints

from rlar.agent.bench import Workbench
from rlar.agent.nodes import (
    ask_for_approval,
    assign_rows,
    classify_rows,
    finish_build,
    generate_tools,
    register_task,
    retrieve_candidates,
    test_candidates,
    wants_writer,
    with_witnesses,
)
from rlar.config import BuildConfig, make_config
from rlar.types import Certificate, TaskSpec, ToolSpec

if TYPE_CHECKING:

    class BuildInput(TypedDict):
        """Input of the graph: the fields of BuildConfig."""
else:
    _FIELDS = BuildConfig.model_fields.items()
    # Studio shows them as a form.
    BuildInput = TypedDict(
        "BuildInput",
        {name: each.annotation if each.is_required() else NotRequired[each.annotation] for name, each in _FIELDS},
    )


class BuildState(BuildInput):
    """State of the outer graph."""

    tasks: NotRequired[list[dict[str, Any]]]
    """TaskSpecs found by classify."""
    rows: NotRequired[dict[str, Any]]
    """Counts: read, rejected, by reason; after assign also assigned, unknown and per fingerprint."""
    rejected_rows: NotRequired[list[dict[str, str]]]
    """The first rejected rows: origin and reason."""
    router: NotRequired[str]
    """Digest of the row router that classify learned."""
    readings: NotRequired[list[dict[str, Any]]]
    """What the LLM said of every group of rows, and what was kept of it."""
    reading_cost: NotRequired[dict[str, Any]]
    """What that cost: calls, tokens, money."""
    outcomes: Annotated[list[dict[str, Any]], operator.add]
    """One per task, from the fan-out."""
    summary: NotRequired[dict[str, Any]]
    """What `--json` prints."""


class TaskState(TypedDict):
    """State of the per-task subgraph."""

    task: dict[str, Any]
    """The TaskSpec."""
    settings: dict[str, Any]
    """The BuildConfig."""
    candidates: NotRequired[list[dict[str, Any]]]
    """ToolSpecs waiting for the gate."""
    tools: NotRequired[list[dict[str, Any]]]
    """ToolSpecs of all candidates so far, whatever the gate said of them."""
    certificates: NotRequired[list[dict[str, Any]]]
    """Certificates so far, of admitted and rejected candidates."""
    passed_over: NotRequired[list[dict[str, Any]]]
    """Candidates that were rejected before the gate: source, subject, reason."""
    approvals: NotRequired[list[dict[str, Any]]]
    """Candidates that a person has to decide about."""
    decisions: NotRequired[dict[str, bool]]
    """What was decided, by subject."""
    attempts: NotRequired[int]
    """How often the writer was asked."""
    written: NotRequired[bool]
    """Whether the writer had something new the last time."""
    downloaded: NotRequired[int]
    """Bytes of model files."""
    notes: NotRequired[list[str]]
    """What each step has to say to a person."""
    outcomes: NotRequired[list[dict[str, Any]]]


class TaskResult(TypedDict):
    """What the subgraph hands to the outer graph."""

    outcomes: list[dict[str, Any]]


class Outcome(TypedDict):
    """What a build says of one task at its end (rlar.agent.nodes)."""

    fingerprint: str
    label: str
    answer_kind: str
    covered: bool
    tools: list[str]
    reason: str | None
    notes: list[str]
    rejected: NotRequired[dict[str, list[str]]]
    passed_over: NotRequired[list[dict[str, Any]]]
    cost: NotRequired[dict[str, float | None]]


class Rows(TypedDict):
    """Counts of rows; the last of them come from `assign`."""

    read: int
    rejected: int
    accepted: int
    counts: NotRequired[dict[str, int]]


STORED: dict[str, Any] = {
    **{name: kind for name, kind in get_type_hints(BuildState).items() if name not in BuildInput.__annotations__},
    **get_type_hints(TaskState),
    "task": TaskSpec,
    "tasks": list[TaskSpec],
    "candidates": list[ToolSpec],
    "tools": list[ToolSpec],
    "certificates": list[Certificate],
    "rows": Rows,
    "outcomes": list[Outcome],
}
"""What a stored state must hold by name, to the depth that nodes rely on. Settings are not here: nodes validate them."""
TASK_NODE = "build_task"
"""The node that the fan-out sends tasks to."""


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
        decided = ask_for_approval(state["task"], state.get("approvals", []))
        return {"decisions": {**state.get("decisions", {}), **decided}, "approvals": []}

    def self_test(state: TaskState) -> dict[str, Any]:
        task = TaskSpec.model_validate(state["task"])
        tools = [ToolSpec.model_validate(item) for item in state.get("candidates", [])]
        tested = test_candidates(bench, settings_of(state), task, tools, get_stream_writer())
        certificates = [item.model_dump(mode="json") for item in tested.certificates]
        return {
            "certificates": [*state.get("certificates", []), *certificates],
            "candidates": [],
            "notes": [*state.get("notes", []), *tested.notes],
        }

    def after_self_test(state: TaskState) -> Literal["generate", "register"]:
        config = settings_of(state)
        asks = wants_writer(bench, config, certificates_of(state), state.get("attempts", 0))
        return "generate" if asks else "register"

    def generate(state: TaskState) -> dict[str, Any]:
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
        settings = config_of(bench, dict(state))
        update = classify_rows(bench, settings, get_stream_writer())
        bench.registry(settings.registry).start_build(settings.model_dump(mode="json"), build_id=thread_of(config))
        return {**update, **settings.model_dump(mode="json")}

    def fan_out(state: BuildState) -> list[Send] | str:
        settings = config_of(bench, dict(state)).model_dump(mode="json")
        sends = [Send(TASK_NODE, {"task": task, "settings": settings}) for task in state.get("tasks", [])]
        return sends or "assign"

    def assign(state: BuildState) -> dict[str, Any]:
        rows = state.get("rows", {})
        expected = rows.get("accepted", 0)
        counts = assign_rows(bench, config_of(bench, dict(state)), get_stream_writer(), expected_rows=expected)
        return {"rows": {**rows, **counts}}

    def finish(state: BuildState, config: RunnableConfig) -> dict[str, Any]:
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
