"""Reward models from the Hugging Face Hub as candidates.

In: a task and what the policy allows. Out: pinned, vetted ToolSpecs, or what a person must decide.
Leaves out: loading and running a model (rlar.tools.reward_model.tool).
"""
