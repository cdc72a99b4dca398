"""Node `approve`: a person decides about candidates that the policy does not allow by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.types import interrupt


def ask_for_approval(task: Mapping[str, Any], approvals: list[dict[str, Any]]) -> dict[str, bool]:
    """A person's decisions by subject; waits (the build is interrupted) until there are some.

    An answer is true or false for all, a list of the approved subjects, or {subject: true | false}; whatever is not
    clearly a yes is a no.
    """
    answer = interrupt(
        {
            "question": "The policy does not allow these models by itself. Use them?",
            "how": 'Answer {"<subject>": true or false, ...}, a list of the approved subjects, or true / false for all.',
            "task": task["label"],
            "fingerprint": task["fingerprint"],
            "approvals": approvals,
        }
    )
    subjects = [str(each["subject"]) for each in approvals]
    if isinstance(answer, Mapping):
        return {subject: answer.get(subject) is True for subject in subjects}
    if isinstance(answer, list):
        return {subject: subject in answer for subject in subjects}
    return {subject: answer is True for subject in subjects}
