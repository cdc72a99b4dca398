"""What a row says about judging SQL: the gold query and the schema it is asked over, as plain tables.

The reference must be one read-only query that sqlglot can parse, and every table it reads must be described in the prompt or in a
column: as CREATE TABLE statements, as "table(column, ...)" notes, or as "Table t, columns = [...]" lists. Nothing is executed here.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rlar.errors import boundary
from rlar.types import Example, Frozen, JsonObject

if TYPE_CHECKING:
    from sqlglot import exp

MAX_SQL_CHARACTERS = 20_000
MAX_SCHEMA_CHARACTERS = 200_000
MAX_NOTES_CHARACTERS = 20_000
MAX_ALTERNATIVES = 12

_OPENS_QUERY = re.compile(r"\s*+(?:```\s*+\w*+\s*+)?\(*+\s*+(?:SELECT|WITH)\b", re.IGNORECASE)
_FENCE = re.compile(r"```[^\n]*+\n(.*?)(?:```|\Z)", re.DOTALL)
_LEXEME = re.compile(r"'(?:[^']|'')*+'|\"[^\"]*+\"|`[^`]*+`|--[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/|\Z)|;")
"""What a splitter of SQL must know: quoted text, comments, and the semicolon."""
_TORN = re.compile(r"(?<=[<>!])[ \t]{1,4}(?==)")
_CREATE = re.compile(r"\bCREATE\s+(?:TEMP(?:ORARY)?\s+)?TABLE\b", re.IGNORECASE)
_INSERT = re.compile(r"\bINSERT\s+INTO\b", re.IGNORECASE)
_NAME = r"(?<![\w$])[\w$]++|`[^`\n]+`|\"[^\"\n]+\"|\[[^\]\n]+\]"
_LISTED = re.compile(
    rf"\btable\s{{0,4}}:?\s{{0,4}}(?P<table>{_NAME})\s{{0,4}}[,:;]?\s{{0,4}}(?:with\s{{1,4}})?(?:the\s{{1,4}})?(?:columns?|fields?|attributes?)\s{{0,4}}(?:are|=|:|\()?\s{{0,4}}[\[(]?(?P<columns>[^\])\n]+)[\])]?",
    re.IGNORECASE,
)
_CALLED = re.compile(rf"(?P<table>{_NAME})[ \t]*\((?P<columns>[^()\n]*(?:\([^()\n]*\)[^()\n]*)*)\)")
_COLON = re.compile(
    rf"^[^\w\n]*+(?:\d+[.)]\s)?(?:table\s+)?(?P<table>{_NAME})[ \t]*:[ \t]*(?P<columns>[^\n|]+)$",
    re.IGNORECASE | re.MULTILINE,
)
_PIPED = re.compile(
    rf"(?:\||\b(?:schema|tables?|database)\s{{0,4}}:)\s*(?P<table>{_NAME})\s*:\s*(?P<columns>[^|\n]+)", re.IGNORECASE
)
_TYPE_WORD = re.compile(
    r"^(?:int(?:eger)?|(?:big|small|tiny)int|text|varchar|char|string|real|float|double|decimal|numeric|number|bool(?:ean)?|date|datetime|time(?:stamp)?|blob)\b",
    re.IGNORECASE,
)
DIALECTS: tuple[str | None, ...] = (None, "sqlite", "postgres", "mysql", "tsql", "bigquery", "snowflake", "oracle")
"""Tried in this order; None is sqlglot's own superset."""


_DIALECT_NAMES = {
    "sqlite": r"sqlite3?", "mysql": r"mysql|mariadb", "postgres": r"postgres(?:ql)?", "tsql": r"t-?sql|sql\s+server|mssql",
    "bigquery": r"bigquery", "snowflake": r"snowflake", "oracle": r"oracle\s+(?:sql|database|db)|pl/?sql",
}  # fmt: skip


class Column(Frozen):
    """A column as a schema declares it."""

    name: str
    type: str = ""
    """As declared, upper case; "" when the schema does not say."""
    primary_key: bool = False
    unique: bool = False
    not_null: bool = False
    references: tuple[str, str] | None = None
    """(table, column) of a foreign key."""
    values: tuple[str, ...] = ()
    """Values that the schema allows (CHECK ... IN, ENUM)."""


class Table(Frozen):
    """A table as a schema declares it, its columns in order."""

    name: str
    columns: tuple[Column, ...]


class SqlTask(Frozen):
    """A query to be written over a known schema."""

    tables: tuple[Table, ...]
    gold: str
    """The reference query as the row gives it."""
    alternatives: tuple[str, ...] = ()
    """Further queries that the row takes for right."""
    dialect: str | None = None
    """sqlglot's name of the dialect that reads the gold query; None for its superset."""
    inserts: tuple[str, ...] = ()
    """INSERT statements of the prompt or columns, as SQLite writes them: real rows to start from."""
    confidence: float = 1.0

    def to_binding(self) -> JsonObject:
        """As plain JSON, defaults left out."""
        binding: JsonObject = self.model_dump(mode="json", exclude_defaults=True)
        return binding

    def answered_by(self, references: Sequence[str]) -> SqlTask:
        """The same schema with other right queries; the same task where they are its own."""
        queries = gold_queries(references)
        return self.model_copy(update={"gold": queries[0], "alternatives": queries[1:]}) if queries else self

    @classmethod
    def from_binding(cls, binding: JsonObject) -> SqlTask:
        """Back from `to_binding`. Raises pydantic.ValidationError for anything else."""
        return cls.model_validate(binding)


def find_sql(example: Example) -> SqlTask | None:
    """The SQL task of a row, or None when its reference is no query or its tables are not described."""
    references = example.references or ((example.reference,) if example.reference else ())
    queries = gold_queries([text for text in references if _OPENS_QUERY.match(text)])
    read = read_query(queries[0], named_dialect(example.text)) if queries else None
    if read is None:
        return None
    tree, dialect = read
    trees = [syntax for query in queries if (syntax := tree_of(query)) is not None]
    wanted = set[str]().union(*map(tables_read, trees))
    if not tables_read(tree) or len(trees) < len(queries):
        return None
    for text in _schema_texts(example):
        tables, inserts, confidence = schema_of(text, wanted, trees)
        if wanted <= {table.name.lower() for table in tables}:
            return SqlTask(
                tables=tables,
                gold=queries[0],
                alternatives=queries[1:],
                dialect=dialect,
                inserts=inserts,
                confidence=confidence,
            )
    return None


def named_dialect(prompt: str) -> str | None:
    """sqlglot's name of the one dialect that a prompt names; None where it names none or several."""
    named = {
        dialect for dialect, words in _DIALECT_NAMES.items() if re.search(rf"\b(?:{words})\b", prompt, re.IGNORECASE)
    }
    return named.pop() if len(named) == 1 else None


def gold_queries(references: Sequence[str]) -> tuple[str, ...]:
    """The right queries of a row. Statements of one reference are alternatives: whether their answers bear that out is
    seen on data. Empty for none, too many or too long ones."""
    queries: dict[str, None] = {}
    for reference in references:
        if len(reference) <= MAX_SQL_CHARACTERS:
            fenced = _FENCE.search(reference)
            queries.update(dict.fromkeys(statements(tight(fenced[1] if fenced else reference))))
    return tuple(queries) if len(queries) <= MAX_ALTERNATIVES else ()


def bare_query(text: str) -> str:
    """The query without a code fence around it and the closing semicolon."""
    fenced = _FENCE.search(text)
    return (fenced[1] if fenced else text).strip().rstrip(";").strip()


def tight(text: str) -> str:
    """SQL whose operators were torn apart by a tokenizer ("! =", "> =") as it was."""
    return _TORN.sub("", text)


def statements(text: str) -> list[str]:
    """The statements of a text of SQL; semicolons in quotes and comments end none."""
    parts, start = [], 0
    for token in _LEXEME.finditer(text):
        if token[0] == ";":
            parts.append(text[start : token.start()].strip())
            start = token.end()
    parts.append(text[start:].strip())
    return [statement for statement in parts if statement]


def statement_end(text: str) -> int:
    """Where the first statement of a text ends: its first semicolon outside quotes and comments, else the text's end."""
    return next((token.start() for token in _LEXEME.finditer(text) if token[0] == ";"), len(text))


def without_comments(text: str) -> str:
    """SQL without its comments; what looks like one inside quotes stays."""
    return _LEXEME.sub(lambda token: " " if token[0].startswith(("--", "/*")) else token[0], text)


def tree_of(text: str, dialect: str | None = None) -> exp.Expression | None:
    """The parsed query; None for what is not exactly one read-only query, or too long."""
    read = read_query(text, dialect)
    return read[0] if read is not None else None


def read_query(text: str, dialect: str | None = None) -> tuple[exp.Expression, str | None] | None:
    """The parsed query with the dialect that read it, `dialect` tried first; None for what is not exactly one read-only query, or too long."""
    if len(text) > MAX_SQL_CHARACTERS:
        return None
    text = without_comments(text)  # sqlglot takes one between ORDER and BY amiss
    for name in DIALECTS if dialect is None else (dialect, *DIALECTS):
        trees = parse_sql(text, name)
        if trees is not None and len(trees) == 1 and _is_query(trees[0]):
            return trees[0], name
    return None


def parse_sql(text: str, dialect: str | None) -> list[exp.Expression] | None:
    """The statements of a text, or None where sqlglot cannot read it."""
    import sqlglot

    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns about every statement that it keeps as text

    def parse() -> list[Any] | None:
        return [statement for statement in sqlglot.parse(text, read=dialect) if statement is not None]

    return boundary(parse, lambda _error: None)


def _is_query(tree: exp.Expression) -> bool:
    from sqlglot import exp

    writes = (exp.Insert, exp.Update, exp.Delete, exp.Create, exp.Drop, exp.Alter, exp.Command, exp.Into)
    return isinstance(tree, exp.Query) and tree.find(*writes) is None


def tables_read(tree: exp.Expression) -> set[str]:
    """Lower-case names of the tables that a query reads (its own WITH names left out)."""
    from sqlglot import exp

    own = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    return {table.name.lower() for table in tree.find_all(exp.Table) if table.name} - own


# ------------------------------------------------------------------------------------------ schemas


def _schema_texts(example: Example) -> Iterator[str]:
    """Where a schema may stand: columns that look like one first, then the prompt."""
    texts = [text for text in _texts(example.columns) if len(text) > 8]
    yield from (text for text in texts if _CREATE.search(text))
    yield example.text
    yield from (text for text in texts if not _CREATE.search(text) and ("(" in text or ":" in text))


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        if len(value) <= MAX_SCHEMA_CHARACTERS:
            yield value
    elif depth < 6 and isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        joined = [item for item in items if isinstance(item, str)]
        if len(joined) > 1 and isinstance(value, list):
            yield ";\n".join(joined)[:MAX_SCHEMA_CHARACTERS]
        for item in items:
            yield from _texts(item, depth + 1)


def schema_of(
    text: str, wanted: set[str], golds: Sequence[exp.Expression] = ()
) -> tuple[tuple[Table, ...], tuple[str, ...], float]:
    """(tables, INSERT statements, confidence) that a text describes; empty when it describes none of the wanted tables."""
    text = text[:MAX_SCHEMA_CHARACTERS]
    if _CREATE.search(text):
        tables, inserts = _declared(text)
        if tables:
            return tables, inserts, 1.0
    text, names = _with_quotes(text[:MAX_NOTES_CHARACTERS], wanted), _column_names(golds)
    noted = tuple(_noted(text, wanted, names))
    return (noted, (), 0.8) if noted and all(_covers_columns(noted, gold) for gold in golds) else ((), (), 0.0)


def _with_quotes(text: str, wanted: Iterable[str]) -> str:
    """Notes whose tables have unusual names ("1-2014-07", "Sales 2020") as if they had been quoted."""
    for name in wanted:
        if not re.fullmatch(r"[\w$]+", name):
            text = re.sub(rf"(?<![\w`\"\[]){re.escape(name)}(?![\w`\"\]])", f"`{name}`", text, flags=re.IGNORECASE)
    return text


def _column_names(golds: Sequence[exp.Expression]) -> frozenset[str]:
    """Lower-case names that the gold queries read as columns: they tell where an unusual name ends."""
    from sqlglot import exp

    return frozenset(column.name.lower() for gold in golds for column in gold.find_all(exp.Column))


def _covers_columns(tables: tuple[Table, ...], gold: exp.Expression) -> bool:
    """Notes are looser than CREATE TABLE: trust them only where they name the columns that the gold query reads."""
    from sqlglot import exp

    known = {column.name.lower() for table in tables for column in table.columns}
    aliases = {alias.alias.lower() for alias in gold.find_all(exp.Alias)}
    columns = [column for column in gold.find_all(exp.Column) if isinstance(column.this, exp.Identifier)]
    # SQLite and MySQL read "Paris" in double quotes as a text where no column is called so.
    texts = {column.name.lower() for column in columns if column.this.quoted and not column.table} - known
    read = {column.name.lower() for column in columns} - texts
    return bool(read & known or not texts) and read - aliases - {""} <= known


def _declared(text: str) -> tuple[tuple[Table, ...], tuple[str, ...]]:
    tables: dict[str, Table] = {}
    inserts: list[str] = []
    for statement in _statements(text):
        if _CREATE.match(statement):
            table = _table(statement)
            if table is not None:
                tables.setdefault(table.name.lower(), table)
        else:
            insert = _insert(statement)
            if insert is not None:
                inserts.append(insert)
    return tuple(tables.values()), tuple(inserts[:200])


def _statements(text: str) -> Iterator[str]:
    """CREATE TABLE and INSERT statements, each cut where its brackets close or at the semicolon."""
    starts = sorted(match.start() for pattern in (_CREATE, _INSERT) for match in pattern.finditer(text))
    for index, start in enumerate(starts[:400]):
        end = starts[index + 1] if index + 1 < len(starts) else len(text)
        chunk = without_comments(text[start:end])
        yield chunk[: _statement_end(chunk, is_create=bool(_CREATE.match(chunk)))]


def _statement_end(chunk: str, *, is_create: bool) -> int:
    depth, quote = 0, ""
    for index, character in enumerate(chunk):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"`":
            quote = character
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if depth == 0 and is_create:
                return index + 1
        elif character == ";" and depth == 0:
            return index
    return len(chunk)


def _table(statement: str) -> Table | None:
    from sqlglot import exp

    mysql = (
        ("mysql",) if "`" in statement or re.search(r"\bAUTO_INCREMENT\b|\bENGINE\b", statement, re.IGNORECASE) else ()
    )
    for dialect in (*mysql, *DIALECTS):
        parsed = parse_sql(statement, dialect)
        if not parsed or not isinstance(parsed[0], exp.Create) or not isinstance(parsed[0].this, exp.Schema):
            continue
        schema = parsed[0].this
        keys, foreign = _table_constraints(schema)
        columns = tuple(
            _column(definition, keys, foreign)
            for definition in schema.expressions
            if isinstance(definition, exp.ColumnDef)
        )
        bare = tuple(Column(name=one.name) for one in schema.expressions if isinstance(one, exp.Identifier))
        if columns or bare:
            return Table(name=schema.this.name, columns=columns or bare)
    return None


def _table_constraints(schema: exp.Schema) -> tuple[set[str], dict[str, tuple[str, str]]]:
    from sqlglot import exp

    keys: set[str] = set()
    foreign: dict[str, tuple[str, str]] = {}
    for key in schema.find_all(exp.PrimaryKey):
        names = [identifier.name.lower() for identifier in key.find_all(exp.Identifier)]
        if len(names) == 1:
            keys.update(names)
    for one in schema.find_all(exp.ForeignKey):
        target = one.find(exp.Reference)
        table = target.find(exp.Table) if target is not None else None
        if target is None or table is None:
            continue
        there = [identifier.name for identifier in target.find_all(exp.Identifier) if identifier.parent is not table]
        for here, name in zip((column.name for column in one.expressions), there, strict=False):
            foreign[here.lower()] = (table.name, name)
    return keys, foreign


def _column(definition: exp.ColumnDef, keys: set[str], foreign: dict[str, tuple[str, str]]) -> Column:
    from sqlglot import exp

    kind = definition.args.get("kind")
    reference = definition.find(exp.Reference)
    target = reference.find(exp.Table) if reference is not None else None
    own = (
        [one.name for one in reference.find_all(exp.Identifier) if one.parent is not target]
        if reference is not None
        else []
    )
    allowed: list[str] = []
    for check in definition.find_all(exp.In):
        allowed += [item.this for item in check.expressions if isinstance(item, exp.Literal)]
    if kind is not None and kind.this in (exp.DataType.Type.ENUM, exp.DataType.Type.ENUM8):
        allowed += [item.this for item in kind.expressions if isinstance(item, exp.Literal)]
    primary = definition.find(exp.PrimaryKeyColumnConstraint) is not None or definition.name.lower() in keys
    return Column(
        name=definition.name,
        type=kind.sql("sqlite").upper() if kind is not None else "",
        primary_key=primary,
        unique=definition.find(exp.UniqueColumnConstraint) is not None,
        not_null=primary
        or any(not one.args.get("allow_null") for one in definition.find_all(exp.NotNullColumnConstraint)),
        references=(target.name, own[0]) if target is not None and own else foreign.get(definition.name.lower()),
        values=tuple(allowed),
    )


def _insert(statement: str) -> str | None:
    from sqlglot import exp

    for dialect in DIALECTS:
        parsed = parse_sql(statement, dialect)
        if parsed and isinstance(parsed[0], exp.Insert) and isinstance(parsed[0].expression, exp.Values):
            written: str = parsed[0].sql("sqlite")
            return written
    return None


def _noted(text: str, wanted: Iterable[str], names: frozenset[str] = frozenset()) -> Iterator[Table]:
    """Tables from notes in prose, by the notations in which a table that the gold query reads is written.

    A stray bracket may become a table that nobody reads; a table that only the completion reads is not lost.
    """
    missing, seen = set(wanted), set()
    for pattern in (_LISTED, _CALLED, _PIPED, _COLON):
        written = []
        for match in pattern.finditer(text):
            columns = tuple(_note_columns(match["columns"], names))
            if columns:
                written.append(Table(name=_unquoted(match["table"]), columns=columns))
        if not any(table.name.lower() in missing for table in written):
            continue
        for table in written:
            if table.name.lower() not in seen:
                seen.add(table.name.lower())
                yield table
        missing -= seen


def _unquoted(name: str) -> str:
    return name.strip().strip('`"[]')


def _note_columns(listed: str, names: frozenset[str] = frozenset()) -> Iterator[Column]:
    """Columns of a list; `names` are known to be columns, however they are spelled."""
    seen: set[str] = set()
    for part in re.split(r",(?![^()]*\))|;", listed):
        whole = part.strip().strip("`\"'").strip()
        if whole.lower() in names:
            if whole.lower() not in seen:
                seen.add(whole.lower())
                yield Column(name=whole)
            continue
        part = part.strip().strip("`\"'[]().").strip()
        match = re.match(rf"({_NAME})[ \t]*[:( ]?[ \t]*(.*)\Z", part.removeprefix("*").strip())
        if match is None or not match[1]:
            continue
        name = _unquoted(match[1])
        type_match = _TYPE_WORD.match(match[2].strip())
        if match[2].strip() and type_match is None and re.match(r"[A-Za-z]+ [a-z]+", match[2].strip()):
            continue  # prose, not a column
        if name.lower() not in seen:
            seen.add(name.lower())
            yield Column(
                name=name,
                type=type_match[0].upper() if type_match else "",
                primary_key="primary" in match[2].lower(),
            )
