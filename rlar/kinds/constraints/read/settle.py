"""From single findings to constraints: join what belongs together, drop what is said twice, distrust contradictions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rlar.kinds.constraints.read.lexicon import number
from rlar.kinds.constraints.read.model import Constraint
from rlar.kinds.constraints.read.reading import Doc
from rlar.kinds.constraints.read.rules_parts import RESPONSES, SEPARATE
from rlar.types import JsonObject, canonical_json

_DIVISIBLE = ("paragraph", "section", "part", "stanza")


def settle(doc: Doc, findings: Sequence[Constraint]) -> tuple[Constraint, ...]:
    """The constraints of a prompt from what its clauses gave."""
    constraints = _join_separators(doc, list(findings))
    constraints = [
        _with(c, confidence=0.4) if c.params.get("each") == "part" and "separator" not in c.params else c
        for c in _drop_implied(constraints)
    ]
    constraints = _merge_bounds(constraints)
    seen: set[str] = set()
    result: list[Constraint] = []
    for constraint in constraints:
        key = constraint.kind + canonical_json(constraint.params)
        if key not in seen:
            seen.add(key)
            result.append(constraint)
    return tuple(result)


def _with(constraint: Constraint, **changes: object) -> Constraint:
    return constraint.model_copy(update=changes)


def _join_separators(doc: Doc, constraints: list[Constraint]) -> list[Constraint]:
    dividers = [c for c in constraints if c.kind == "parts"]
    if not dividers:
        return constraints
    rest = [c for c in constraints if c.kind != "parts"]
    template = _template_parts(doc)
    if template == 0 and not any(SEPARATE.search(clause.text) for clause in doc.clauses):
        return rest
    marks = {str(c.params["separator"]) for c in dividers}
    counted = [c for c in rest if c.kind == "count" and c.params["unit"] in _DIVISIBLE and not c.params.get("each")]
    if marks <= {"\n\n"}:
        return [
            _with(c, params={**c.params, "separator": "\n\n"}, strength="hard")
            if c in counted and c.params["unit"] in ("paragraph", "stanza")
            else c
            for c in rest
        ]
    divider = next(c for c in dividers if c.params["separator"] != "\n\n")
    params: JsonObject = {"separator": divider.params["separator"]}
    if counted:
        joined = counted[0]
        rest = [c for c in rest if c is not joined]
        params.update({k: joined.params[k] for k in ("min", "max") if k in joined.params})
        quote = joined.quote if joined.quote == divider.quote else f"{joined.quote} … {divider.quote}"
    else:
        # "Write two limericks ... separate them by ******": the amount stands with the noun.
        near = None if template > 2 else RESPONSES.search(divider.quote.lower()) or RESPONSES.search(doc.lower)
        word = near.group("n") if near else "two"
        n = 2 if word == "both" else number(word)
        params.update({"min": n, "max": n})
        quote = divider.quote
        if template > 2:
            params = {"separator": divider.params["separator"], "min": template, "max": template}
        elif near is None:
            params = {"separator": divider.params["separator"], "min": 2}
    if len(str(params["separator"])) >= 6:
        params["distinct"] = True
    # "Each version must have 7 sections": the versions are what stands between the dividers.
    rest = [
        _with(c, params={**c.params, "separator": params["separator"]}) if c.params.get("each") == "part" else c
        for c in rest
    ]
    return [*rest, _with(divider, params=params, quote=quote[:300])]


def _template_parts(doc: Doc) -> int:
    """How many parts a template shows: "use the format below", then lines that hold only a divider; 0 without one."""
    if _TEMPLATE.search(doc.lower) is None:
        return 0
    dividers = sum(1 for line in doc.original.split("\n") if re.fullmatch(r"\s*+(?:\*[ ]?){3,8}\s*+", line))
    return dividers + 1 if dividers else 0


_MARKED_UP = {"highlight", "bullet", "numbered", "heading"}
"""Units that are themselves markdown."""
_TEMPLATE = re.compile(r"\b(?:format|template|structure|layout|like|below|as\s++follows|example)\b")


def _same_bounds(one: Constraint, other: Constraint) -> bool:
    return all(one.params.get(key) == other.params.get(key) for key in ("min", "max"))


def _drop_implied(constraints: list[Constraint]) -> list[Constraint]:
    kinds = {c.kind for c in constraints}
    units = {c.params["unit"] for c in constraints if c.kind == "count"}
    options = {str(o).casefold() for c in constraints if c.kind == "one_of" for o in c.params["options"]}
    result: list[Constraint] = []
    for c in constraints:
        if options and c.kind in ("include", "exclude", "keyword_count", "starts_with"):
            phrases = c.params.get("phrases") or [c.params.get("keyword", "")]
            if {str(p).casefold() for p in phrases} <= options:
                continue
        if (
            c.kind == "count"
            and c.params["unit"] == "section"
            and not c.params.get("each")
            and any(s.kind == "sections" for s in constraints)
        ):
            continue
        if c.kind == "contains_format" and c.params["element"] == "bullet_list" and "bullet" in units:
            continue
        if (
            c.kind == "contains_format"
            and c.params["element"] == "markdown"
            and (units & _MARKED_UP or any(o.kind == c.kind and o.params != c.params for o in constraints))
        ):
            continue
        if c.kind == "contains_format" and c.params["element"] == "code" and "structured" in kinds:
            continue
        if "sections" in kinds and (
            (c.params.get("unit") == "section" and c.kind == "each")
            or (c.kind == "unsupported" and "each section" in str(c.params.get("about")))
        ):
            continue
        if (
            c.kind == "contains_format"
            and c.params["element"] == "heading"
            and ("heading" in units or "sections" in kinds)
        ):
            continue
        if c.kind == "starts_with" and "repeat" in kinds and c.confidence < 1:
            continue
        counted = units & {"bullet", "numbered"} or any(
            o.kind in ("parts", "count", "sections") and o is not c and _same_bounds(o, c) for o in constraints
        )
        if c.kind == "count" and c.params["unit"] == "item" and counted:
            continue
        if (
            c.kind == "each"
            and c.params["unit"] == "word"
            and any(p.kind == "pattern" and p.params["name"] == "alliteration" for p in constraints)
        ):
            continue
        if c.kind == "sections":
            totals = [
                t
                for t in constraints
                if t.kind == "count"
                and t.params["unit"] in ("section", "part", "paragraph")
                and not t.params.get("each")
            ]
            if "min" not in c.params and "max" not in c.params and totals:
                bounds = {k: totals[0].params[k] for k in ("min",) if k in totals[0].params}
                c = _with(c, params={**c.params, **bounds})
            if "min" not in c.params and "max" not in c.params:
                c = _with(c, params={**c.params, "min": 1})
        result.append(c)
    return result


def _merge_bounds(constraints: list[Constraint]) -> list[Constraint]:
    """A lower and an upper bound on the same thing that exclude each other are not trusted."""
    bounds: dict[str, tuple[int, int]] = {}

    def key(c: Constraint) -> str | None:
        if c.kind not in ("count", "letter_count", "keyword_count") or c.strength == "soft":
            return None
        return c.kind + canonical_json({k: v for k, v in c.params.items() if k not in ("min", "max", "separator")})

    for c in constraints:
        k = key(c)
        if k is not None:
            low, high = bounds.get(k, (0, 10**9))
            bounds[k] = (max(low, int(c.params.get("min", 0))), min(high, int(c.params.get("max", 10**9))))
    return [
        _with(c, confidence=min(c.confidence, 0.4)) if (k := key(c)) is not None and bounds[k][0] > bounds[k][1] else c
        for c in constraints
    ]
