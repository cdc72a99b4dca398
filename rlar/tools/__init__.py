"""The kinds of tool that are not library code: generated, judge, HTTP, reward model.

In: a ToolSpec and resources. Out: a RewardTool that scores batches of samples.
Leaves out: admitting tools (rlar.gate), and time limits and retries around them (rlar.scoring).
"""
