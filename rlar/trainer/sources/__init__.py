"""Where prompts and outcomes come from when it is not a dataset with tools.

In: rows, completions of a group, the policy. Out: rewards by majority vote; rows with prompts that the policy wrote.
Leaves out: what tools say (rlar.scoring), advantages (rlar.trainer.advantage).
"""
