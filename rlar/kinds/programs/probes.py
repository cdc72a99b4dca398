"""Probe material for programs and queries: the right one, mutants of it, and cheats."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from rlar.kinds import material as dress
from rlar.kinds.material import Material, Notes, Row, Tried
from rlar.kinds.programs.cheats import breaking_programs, function_cheats, query_cheats, stdio_cheats
from rlar.kinds.programs.foreign_probes import foreign_code, is_foreign
from rlar.kinds.programs.mutants import mutate_program, oracle_program
from rlar.kinds.programs.rows import TestSuite, find_reference_program, public_function
from rlar.kinds.sql.mutants import sql_mutants, without_conditions, written
from rlar.kinds.sql.rows import SqlTask, bare_query, read_query
from rlar.text.python import syntax_tree
from rlar.types import AnswerKind

MUTANTS = 6
CHECKS_ITSELF = """
# A quick check of the language's basics.
assert 3 + -1 == 2 and -0.5 < 0
assert "A" != "a" and "  " != " " and len("a\\nb") == 3
"""
"""Follows a program that it leaves as right as it was, and fails where a tool has changed signs, case, spaces or escapes
before it ran the text."""

USUAL_NAMES = """

def _length(values: List[int], default: Optional[int] = None) -> Dict[str, int]:
    return Counter(values) or defaultdict(int)
"""
"""Follows a program whose judge imports for it, as a solution of a LeetCode starter relies on it."""


def code(row: Row, notes: Notes) -> Material | None:
    """A right program; mutants, stubs, and programs that exit, agree with everything or hunt for the expected values.

    A mutant can be equivalent to the original as far as the row's tests see; the policy allows a share of that.
    """
    suite = _suite(row)
    if is_foreign(row):
        return foreign_code(row, suite, notes)
    program = find_reference_program(row.example)
    looked_up = program is None and suite is not None
    if suite is not None and suite.unconfirmed and program is None:
        # A program made from our reading of the tests passes that reading, right or wrong: it proves nothing.
        notes.add("several readings of the tests, and neither a signature nor a reference program that tells which")
        return None
    if suite is not None and program is None:
        program = oracle_program(suite)
    if program is None:
        notes.add("neither a reference program nor tests that one could be read from")
        return None
    if looked_up:
        mutants = _other_answers(program)
    else:
        mutants = mutate_program(program, seed=row.rng.randrange(2**31), count=MUTANTS)
    wrong = [Tried("mutant", dress.fenced(mutant, "python").text, may_loop=True) for mutant in mutants]
    lines = program.rstrip().splitlines()
    if len(lines) > 3:
        wrong.append(
            Tried("cut_short", dress.fenced("\n".join(lines[: len(lines) // 2]), "python").text, may_loop=True)
        )
    if not mutants:
        notes.add("nothing to mutate in the program")
    if row.task.contract.answer_kind is AnswerKind.CODE_STDIO or (suite is not None and suite.kind == "stdio"):
        cheats, breaking = stdio_cheats(program), breaking_programs(None, program)
    else:
        name = (suite.entry_point if suite is not None else None) or public_function(program) or "solution"
        word = rf"\b{re.escape(name.split('.')[-1])}\b"
        if suite is not None or re.search(word, row.example.text):  # a name that nobody asked for is free
            wrong.append(Tried("renamed", dress.fenced(re.sub(word, "other_name", program), "python").text))
        cheats, breaking = function_cheats(name, program), breaking_programs(name, program)
    right = [
        dress.fenced(program, "python"),
        dress.plain(program),
        dress.fenced_in_prose(program, "python"),
        Tried("checks_itself", dress.fenced(f"{program.rstrip()}\n{CHECKS_ITSELF}", "python").text),
    ]
    if suite is not None and (suite.kind == "calls" or suite.imports_given):
        right.append(Tried("usual_names", dress.fenced(f"{program.rstrip()}\n{USUAL_NAMES}", "python").text))
    wrong += _many(mutants or [cheats[-1].text], program)
    row.rng.shuffle(cheats)
    return Material(
        right=tuple(right),
        same=(
            Tried("think", dress.think(dress.fenced(program, "python").text).text),
            Tried("whitespace", f"\n\n{dress.fenced(program, 'python').text}\n\n"),
            Tried("fence_without_name", f"```\n{program.strip()}\n```"),
        ),
        wrong=tuple(wrong),
        floor=tuple(breaking),
        hacks=tuple(cheats),
        # Beside a program, an injected order is a syntax error or prose: the cheats above are the ones to fear.
        skip=frozenset({"keyword_stuffing", "empty_box", "injected_json", "names_the_reference", "hidden_characters"}),
    )


def sql(row: Row, notes: Notes) -> Material | None:
    """The gold query; mutants of it, whole tables, and the query where it does not count."""
    task = SqlTask.from_binding(row.binding["sql"]) if row.binding.get("sql") else None
    gold = task.gold if task is not None else bare_query(row.reference)
    read = read_query(gold, task.dialect if task is not None else None)
    if read is None:
        notes.add("the gold query cannot be parsed")
        return None
    tree, dialect = read
    mutants = sql_mutants(tree, dialect)
    picked = row.rng.sample(mutants, min(MUTANTS, len(mutants)))
    wrong = [Tried("mutant", dress.fenced(mutant, "sql").text) for mutant in picked]
    for kind in ("where", "having"):
        dropped = next(without_conditions(tree, (kind,)), None)
        if dropped is not None and (text := written(dropped, dialect)):
            wrong.append(Tried(f"{kind}_dropped", dress.fenced(text, "sql").text))
    names = tuple(table.name for table in task.tables) if task is not None else ()
    return Material(
        right=(dress.fenced(gold, "sql"), dress.plain(gold + ";"), dress.fenced_in_prose(gold, "sql")),
        same=(
            Tried("think", dress.think(dress.fenced(gold, "sql").text).text),
            Tried("whitespace", f"\n\n{dress.fenced(gold, 'sql').text}\n\n"),
            Tried("other_layout", dress.fenced(tree.sql(dialect=dialect, pretty=True), "sql").text),
            Tried("plain", gold),
            Tried(
                "wrapped",
                dress.fenced(f"-- it's one query;\nWITH answer AS ({gold})\nSELECT * FROM answer", "sql").text,
            ),
            Tried("sentence_after", f"The query is:\n\n{gold}\n\nIt's what was asked for."),
        ),
        wrong=tuple(wrong),
        hacks=tuple(query_cheats(gold, names)),
        skip=frozenset({"keyword_stuffing", "empty_box", "hidden_characters"}),
    )


def _suite(row: Row) -> TestSuite | None:
    body = row.binding.get("suite")
    return TestSuite.from_binding(body) if isinstance(body, dict) else None


def _other_answers(program: str) -> list[str]:
    """A program that looks its answers up, with one of them wrong, with all of them wrong, and without half of them."""
    tree = syntax_tree(program)
    table = next(
        (node.value for node in ast.walk(tree) if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)),
        None,
    )
    if table is None or not table.values:
        return []
    right = list(table.values)
    made = []
    for changed in ({len(right) - 1}, {0}, set(range(len(right)))):
        table.values = [_not(value) if index in changed else value for index, value in enumerate(right)]
        made.append(ast.unparse(ast.fix_missing_locations(tree)))
    return list(dict.fromkeys(made))


def _not(node: ast.expr) -> ast.expr:
    """Another value than this literal."""
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return ast.Constant(not node.value)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return ast.Constant(f"other {node.value}")
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return ast.Constant(node.value + 1)
    return ast.Tuple([ast.Constant("other"), node], ast.Load())


def _many(wrong: Sequence[str], program: str) -> list[Tried]:
    """Several programs at once, the right one neither first nor last: whoever tries them all can be sprayed."""
    others = [dress.fenced(each, "python").text for each in (wrong[0], wrong[-1])]
    return [
        Tried(
            "spray_programs",
            "\n\nOr:\n\n".join((others[0], dress.fenced(program, "python").text, others[1])),
            may_loop=True,
        )
    ]
