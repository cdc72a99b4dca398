"""Makes tools: the LangGraph build.

In: rows, a build's settings, an LLM and the Hub where they are allowed. Out: a registry, a report and the build's story.
Leaves out: admitting anything (rlar.gate); it alone imports langgraph.
"""
