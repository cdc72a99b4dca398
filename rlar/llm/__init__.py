"""The one client of chat models.

In: messages, a budget. Out: checked answers, counted and kept.
Leaves out: what is asked (the agent, the judges) and what the answers are worth (the gate).
"""
