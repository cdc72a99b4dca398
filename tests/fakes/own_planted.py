"""The planted tools as functions of TRL and verl: `trl__NAME`, `verl__NAME`; loaded by path, as `rlar check` does."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rlar.types import Sample
from tests.fakes.planted import Catalogue, Planted, exact, overlap


def _sample(prompt, completion, reference):
    return Sample(prompt=prompt, completion=completion, reference=reference, references=(reference,))


def __getattr__(name):
    shape, _, planted = name.partition("__")
    if shape not in ("trl", "verl"):
        raise AttributeError(name)
    tool = (
        Planted("overlap", overlap)
        if planted == "overlap"
        else Catalogue.BAD[planted].make()
        if planted in Catalogue.BAD
        else None
    )
    tool = tool or Planted("exact", exact)

    def trl(prompts, completions, solution, **kwargs):
        samples = [_sample(*each) for each in zip(prompts, completions, solution, strict=True)]
        return [getattr(score, "value", score) for score in tool.score(samples)]

    def verl(data_source, solution_str, ground_truth, extra_info=None):
        [score] = tool.score([_sample((extra_info or {}).get("prompt", ""), solution_str, ground_truth)])
        return getattr(score, "value", score)

    return {"trl": trl, "verl": verl}[shape]
