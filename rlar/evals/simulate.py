"""The paper's setting in miniature: tools whose accuracy on every kind of task is known, routed by a few probes.

Each simulated tool orders a better and a worse completion rightly with a known chance per subset. A static reward uses
one tool everywhere; the router picks, per subset, the tool that did best on some probe pairs (as admission does); the
oracle picks by the very items that are scored, so it bounds the router by construction. No text is involved: this shows what routing by measured accuracy can and cannot gain.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rlar.evals.record import make_record
from rlar.types import JsonObject

SYSTEMS = ("random", "mean static", "best static", "random routing", "router", "oracle router")


def accuracies(rng: np.random.Generator, *, tools: int, subsets: int) -> npt.NDArray[np.float64]:
    """Chance of each tool (rows) to order a pair of each subset (columns): each tool is good at few, near chance else."""
    table = rng.uniform(0.42, 0.68, size=(tools, subsets))
    for subset in range(subsets):
        table[subset % tools, subset] = rng.uniform(0.82, 0.97)
    return table


def trial(seed: int, *, tools: int, subsets: int, items: int, probe_rows: int) -> dict[str, float]:
    """Accuracy of every system on one draw of tools and items; a probe row is one pair that all tools are tried on."""
    rng = np.random.default_rng(seed)
    table = accuracies(rng, tools=tools, subsets=subsets)
    right = rng.random((tools, subsets, items)) < table[:, :, None]
    # Probes of their own stream: more of them only add to the first, so that the curve is about probes alone.
    probes = np.random.default_rng([seed, 1]).random((subsets, probe_rows, tools)) < table.T[:, None, :]
    estimated = probes.mean(axis=1).T
    chosen = np.asarray([int(np.argmax(estimated[:, subset])) for subset in range(subsets)])
    best = np.argmax(right.mean(axis=2), axis=0)
    drawn = np.random.default_rng([seed, 2]).integers(0, tools, size=(subsets, items))
    each = right.mean(axis=(1, 2))
    return {
        "random": float((np.random.default_rng([seed, 3]).random((subsets, items)) < 0.5).mean()),
        "mean static": float(each.mean()),
        "best static": float(each.max()),
        "random routing": float(np.take_along_axis(right, drawn[None], axis=0).mean()),
        "router": float(np.mean([right[chosen[subset], subset].mean() for subset in range(subsets)])),
        "oracle router": float(np.mean([right[best[subset], subset].mean() for subset in range(subsets)])),
    }


def simulate(
    *,
    seeds: int = 20,
    tools: int = 5,
    subsets: int = 6,
    items: int = 400,
    probe_rows: int = 64,
    curve: Sequence[int] = (1, 2, 4, 8, 16, 32, 64, 128, 256),
    seed: int = 0,
    command: Sequence[str] = (),
) -> JsonObject:
    """Order of the systems over seeds, and the router's regret against the oracle by number of probe rows."""
    trials = [trial(seed + n, tools=tools, subsets=subsets, items=items, probe_rows=probe_rows) for n in range(seeds)]
    held = sum(each["random"] < each["best static"] < each["router"] <= each["oracle router"] for each in trials)
    regret = []
    for rows in curve:
        lost = [trial(seed + n, tools=tools, subsets=subsets, items=items, probe_rows=rows) for n in range(seeds)]
        regret.append({"rows": rows, "regret": round(float(np.mean([each["oracle router"] - each["router"] for each in lost])), 6)})  # fmt: skip
    order = [
        {
            "system": name,
            "mean": round(float(np.mean([each[name] for each in trials])), 6),
            "low": round(min(each[name] for each in trials), 6),
            "high": round(max(each[name] for each in trials), 6),
        }
        for name in SYSTEMS
    ]
    return {
        "record": make_record("simulate", command=command, seed=seed),
        "seeds": seeds,
        "tools": tools,
        "subsets": subsets,
        "items": items,
        "probe_rows": probe_rows,
        "held": held,
        "order": order,
        "regret": regret,
    }
