"""Reading text.

In: prompts and completions. Out: answers, shapes, code blocks, languages found in them.
Leaves out: tasks and tools.
"""
