"""Everything around the sentences of a planned response: opening, emphasis, postscript, ending, wrapping, case."""

from __future__ import annotations

import json
import random
import re

from rlar.kinds.constraints.write.plan import INFINITY, Impossible, Plan


def finish(plan: Plan, blocks: list[str], *, rng: random.Random | None = None) -> str:
    """The blocks with everything around them: opening, title, elements, emphasis, postscript, ending, wrapping, case."""
    blocks = list(blocks)
    for element in plan.elements:
        blocks.append(
            {
                "table": "| Item | Use |\n| --- | --- |\n| lamp | light |",
                "numbered_list": "1. Garden\n2. River",
                "bullet_list": "* Garden",
                "code": "```\nlamp\n```",
                "heading": "## Garden",
                "link": "https://example.org",
            }.get(element, "")
        )
        if not blocks[-1]:
            raise Impossible(element)
    if plan.starts:
        blocks[0] = f"{plan.starts} {blocks[0]}"
    if plan.highlights:
        blocks = _emphasise(plan, blocks)
    if plan.capital_words[0]:
        blocks = _shout(plan, blocks)
    blocks = _sprinkle(plan, blocks)
    if plan.postscript:
        blocks[-1] += ("\n" if plan.paragraphs[1] < INFINITY else "\n\n") + f"{plan.postscript} Birds sing"
        blocks[-1] += "." if "." not in plan.banned_characters else ""
    if plan.ends:
        if plan.ends in ("?", "!", "."):
            blocks[-1] = blocks[-1].rstrip(".!?") + plan.ends
        else:
            blocks[-1] += " " + plan.ends
    joint = "\n\n" if plan.separator in (None, "\n\n") else f"\n\n{plan.separator}\n\n"
    text = joint.join(blocks)
    if any(p["name"] == "one_line" for p in plan.patterns):
        text = " ".join(text.split())
    if plan.title:
        text = f"<<Garden Notes>>\n{text}" if plan.paragraphs[1] < INFINITY else f"<<Garden Notes>>\n\n{text}"
    if plan.structured:
        text = _document(plan, text)
    if plan.case == "lower":
        text = text.lower()
    elif plan.case == "upper":
        text = text.upper()
    elif plan.case == "title":
        text = re.sub(r"[^\W\d_]+", lambda m: m.group()[0].upper() + m.group()[1:], text)
    if plan.repeat:
        text = f"{plan.repeat}\n\n{text}"
    if plan.quoted:
        closing = {'"': '"', "'": "'", "«": "»"}.get(plan.quoted, plan.quoted)
        opening = plan.quoted + ("\n" if re.match(r"[*#\d|-]", text) else "")
        text = f"{opening}{text}{closing}"
    return text


def _emphasise(plan: Plan, blocks: list[str]) -> list[str]:
    mark = "**" if plan.bold else "*"
    left = plan.highlights
    protected = {
        w for phrase in (*plan.phrases, plan.starts or "", plan.ends or "", plan.option or "") for w in phrase.split()
    }

    def wrap(match: re.Match[str]) -> str:
        nonlocal left
        if left <= 0 or match.group() in protected:
            return match.group()
        left -= 1
        return f"{mark}{match.group()}{mark}"

    result = []
    for block in blocks:
        lines = block.split("\n")
        result.append(
            "\n".join(
                re.sub(r"(?<![\w*\[#/.])[a-z]{3,}(?![\w*\]/:])", wrap, line) if not line.startswith("|") else line
                for line in lines
            )
        )
    if left > 0:
        raise Impossible("too few words to highlight")
    return result


def _shout(plan: Plan, blocks: list[str]) -> list[str]:
    left = plan.capital_words[0]
    protected = {w for phrase in (*plan.phrases, plan.starts or "", plan.ends or "") for w in phrase.split()}

    def raise_voice(match: re.Match[str]) -> str:
        nonlocal left
        if left <= 0 or match.group() in protected:
            return match.group()
        left -= 1
        return match.group().upper()

    result = [re.sub(r"(?<![\w*\[#/.])[a-z]{2,}(?![\w*\]/:])", raise_voice, block) for block in blocks]
    if left > 0:
        raise Impossible("too few words to capitalise")
    return result


def _sprinkle(plan: Plan, blocks: list[str]) -> list[str]:
    """Marks that are asked for by number."""
    extra = plan.needed_characters
    extra += "?" * (plan.questions[0] if plan.questions[0] < 50 else 0) + "!" * (
        plan.exclamations[0] if plan.exclamations[0] < 50 else 0
    )
    for mark in extra:
        for i, block in enumerate(blocks):
            spot = (
                re.search(r"(?<=[a-z])\.(?=\s|$)", block)
                if mark in "?!"
                else re.search(r"(?<=[a-z]) (?=[a-z]{4,} )", block)
            )
            if spot is not None:
                glue = mark if mark in "?!" else f"{mark} "
                blocks = [*blocks[:i], block[: spot.start()] + glue + block[spot.end() :], *blocks[i + 1 :]]
                break
        else:
            raise Impossible(f"no place for {mark!r}")
    for _ in range(plan.commas[0]):
        for i, block in enumerate(blocks):
            spot = re.search(r"(?<=[a-z]) (?=and\b|with\b|for\b|by\b)", block)
            if spot is not None:
                blocks = [*blocks[:i], block[: spot.start()] + ", " + block[spot.end() :], *blocks[i + 1 :]]
                break
        else:
            raise Impossible("no place for commas")
    if plan.digits[0]:
        blocks[0] += " " + "7" * plan.digits[0]
    return blocks


def _document(plan: Plan, text: str) -> str:
    lines = [line for line in text.split("\n") if line.strip()]
    match plan.structured:
        case "json":
            if plan.paragraphs[0] > 1 or plan.bullets or plan.quoted:
                raise Impossible("a document that is laid out otherwise")
            return json.dumps({key: lines for key in plan.keys or ["answer"]}, ensure_ascii=False, indent=1)
        case "xml":
            return (
                "<answer>"
                + "".join(
                    f"<line>{line.replace('&', 'and').replace('<', '').replace('>', '')}</line>" for line in lines
                )
                + "</answer>"
            )
        case "html":
            return "<p>" + "</p>\n<p>".join(lines) + "</p>"
        case "yaml":
            return "answer:\n" + "\n".join(f"  - {line}" for line in lines)
        case "csv":
            return "item,use\n" + "\n".join(f"{i},{line.replace(',', '')}" for i, line in enumerate(lines))
        case "code":
            return "```\n" + text + "\n```"
    raise Impossible(str(plan.structured))
