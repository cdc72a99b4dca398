"""Contract -> fingerprint, and the words that people read for it.

A fingerprint is a hash of the contract alone, so the same task in another file, order or process has the same one.
"""

from __future__ import annotations

from typing import Any

from rlar.kinds import KINDS
from rlar.kinds.programs.languages import label_of_language
from rlar.text.language_names import ENGLISH_NAME
from rlar.types import Contract, canonical_json, digest

FINGERPRINT_VERSION = 1
"""Raised when a contract's meaning changes; fingerprints of different versions never compare equal."""


def fingerprint(contract: Contract) -> str:
    """ "f1-" and 12 hex digits of the contract's canonical JSON; the order of labels and carries does not matter."""
    body: dict[str, Any] = {
        "answer_kind": contract.answer_kind.value,
        "has_reference": contract.has_reference,
        "target_language": contract.target_language,
        "labels": sorted(set(contract.labels)),
        "carries": sorted(set(contract.carries)),
    }
    if contract.programming_language:
        body["programming_language"] = contract.programming_language
    if contract.wordings:
        body["wordings"] = sorted(set(contract.wordings))
    return f"f{FINGERPRINT_VERSION}-{digest('contract', canonical_json(body), size=12)}"


def task_label(contract: Contract) -> str:
    """A short name for people, e.g. "translation to French"; two contracts may share one."""
    kind = KINDS[contract.answer_kind]
    name = next((kind.label_with[each] for each in contract.carries if each in kind.label_with), kind.label)
    if contract.target_language:
        name = f"{name} to {ENGLISH_NAME.get(contract.target_language, contract.target_language)}"
    elif contract.programming_language:
        name = f"{name} in {label_of_language(contract.programming_language)}"
    elif contract.labels:
        shown = ", ".join(contract.labels[:4]) + (", ..." if len(contract.labels) > 4 else "")
        name = f"label ({shown})"
    return name if contract.has_reference or kind.reference == "none" else f"{name}, no reference"


def task_description(contract: Contract) -> str:
    """One sentence: what was inferred, and from what evidence."""
    kind = contract.answer_kind
    evidence = KINDS[kind].evidence
    if contract.labels:
        evidence = f"the references are the closed set {', '.join(contract.labels[:8])}" + (
            " ..." if len(contract.labels) > 8 else ""
        )
    parts = [f"Judged as {kind.value.replace('_', ' ')}: {evidence}"]
    if contract.carries:
        parts.append(f"rows carry {', '.join(contract.carries)}")
    return "; ".join(parts) + "."
