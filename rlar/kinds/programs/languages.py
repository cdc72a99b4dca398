"""Which programming language a text is in, and which one a prompt asks for.

Read from marks that a language has and others lack; every pattern is linear and looks at a bounded part of the text. What the
marks do not settle stays "": nobody is told that a program is in the wrong language on a guess.

Leaves out: running anything (rlar.sandbox.languages) and Python's own syntax (rlar.text.python).
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass

from rlar.text.python import PYTHON_FENCES, fenced_blocks, parse_python

_LOOKED_AT = 20_000
"""Characters of a program from which its language is read."""
_PROMPT_LOOKED_AT = 60_000
_SURE = 3
"""Weight of marks from which a text is in a language."""


@dataclass(frozen=True, slots=True)
class Language:
    """One programming language, as people and code fences name it."""

    label: str
    fences: tuple[str, ...]
    names: str
    """Pattern of its names in prose."""
    marks: tuple[tuple[int, re.Pattern[str]], ...] = ()
    """(weight, pattern) of what stands in its programs and in few others."""
    is_word: bool = False
    """Its name is an everyday word or a letter: counted only where the sentence is about programs, as written."""


LANGUAGES: dict[str, Language] = {
    "python": Language("Python", tuple(sorted(PYTHON_FENCES - {"", "code"})), r"python(?:\s?[23](?:\.\d{1,2})?)?"),
    "cpp": Language(
        "C++",
        ("cpp", "c++", "cc", "cxx", "hpp", "c++11", "c++14", "c++17", "c++20", "cpp17", "cpp20", "g++"),
        r"(?:[cс]\s?\+\+(?:\s?\d\d)?|cpp)",
        (
            (3, re.compile(r"^[ \t]*#[ \t]*include[ \t]*<[a-z_/]{1,30}(?:stdc\+\+\.h)?>", re.M)),
            (3, re.compile(r"\busing namespace \w", re.M)),
            (3, re.compile(r"\bstd::\w", re.M)),
            (3, re.compile(r"\b(?:cout|cin|cerr)\s{0,5}(?:<<|>>)", re.M)),
            (2, re.compile(r"\btemplate\s{0,5}<", re.M)),
            (2, re.compile(r"\b(?:vector|unordered_map|pair|set|map|queue)<[\w:]{1,30}[<>, ]", re.M)),
            (2, re.compile(r"\b(?:public|private|protected):", re.M)),
            (1, re.compile(r"\bint main\s{0,3}\(", re.M)),
            (1, re.compile(r"^[ \t]*#[ \t]*(?:include|define)\b", re.M)),
        ),
    ),
    "c": Language(
        "C",
        ("c", "h", "c99", "c11", "gcc"),
        r"C(?:99|11|17)?(?![\w+#'’.-]|\s?\+\+)",
        (
            (3, re.compile(r"^[ \t]*#[ \t]*include[ \t]*<[a-z_/]{1,30}\.h>", re.M)),
            (1, re.compile(r"\b(?:printf|scanf|malloc|puts|getchar)\s{0,3}\(", re.M)),
            (1, re.compile(r"\bint main\s{0,3}\(", re.M)),
        ),
        is_word=True,
    ),
    "csharp": Language(
        "C#",
        ("csharp", "c#", "cs"),
        r"(?:c#|csharp|c sharp)",
        (
            (3, re.compile(r"^using System(?:\.\w{1,40}){0,5};", re.M)),
            (3, re.compile(r"\bConsole\.(?:Write|Read)", re.M)),
            (3, re.compile(r"\bstatic (?:async )?(?:void|int|Task) Main\(", re.M)),
            (1, re.compile(r"\b(?:public|private|protected) (?:static )?[\w<>\[\], ]{1,60}\s\w{1,60}\s?\(", re.M)),
        ),
    ),
    "java": Language(
        "Java",
        ("java", "java8", "java11", "java17"),
        r"java(?!\s?script)(?:\s?\d{1,2})?",
        (
            (3, re.compile(r"^import (?:static )?javax?\.", re.M)),
            (3, re.compile(r"\bpublic static void main\s{0,3}\(", re.M)),
            (3, re.compile(r"\bSystem\.(?:out|in|err)\b", re.M)),
            (2, re.compile(r"\bpublic (?:final )?(?:class|interface|enum)\s", re.M)),
            (3, re.compile(r"\b(?:public|private|protected) (?:static )?[\w<>\[\], ]{1,60}\s\w{1,60}\s?\(", re.M)),
        ),
    ),
    "go": Language(
        "Go",
        ("go", "golang"),
        r"(?:Golang|Go|golang|GO)",
        (
            (4, re.compile(r"^package [a-z]\w{0,60}[ \t]*$", re.M)),
            (2, re.compile(r"^func (?:\([\w *]{1,60}\) )?\w{1,60}\(", re.M)),
            (2, re.compile(r"\bfmt\.[A-Z]\w{1,20}\(", re.M)),
            (1, re.compile(r"\w\s?:=\s", re.M)),
        ),
        is_word=True,
    ),
    "javascript": Language(
        "JavaScript",
        ("javascript", "js", "node", "nodejs", "mjs", "cjs", "ecmascript"),
        r"(?:javascript|java script|node(?:\.js|js)|js)",
        (
            (3, re.compile(r"\bconsole\.(?:log|error|info|table|assert)\(", re.M)),
            (2, re.compile(r"\brequire\(['\"]", re.M)),
            (3, re.compile(r"\bprocess\.(?:stdin|stdout|argv|exit)\b", re.M)),
            (2, re.compile(r"^[ \t]*(?:const|let|var)\s[\w{\[$]", re.M)),
            (2, re.compile(r"=>\s{0,5}[{(\w\[]", re.M)),
            (2, re.compile(r"^[ \t]*(?:async )?function\s{0,5}\w{0,60}\(", re.M)),
            (1, re.compile(r"[!=]==[^=]", re.M)),
            (2, re.compile(r"\bmodule\.exports\b", re.M)),
        ),
    ),
    "typescript": Language(
        "TypeScript",
        ("typescript", "ts"),
        "typescript",
        (
            (3, re.compile(r"\b(?:const|let|var)\s\w{1,60}\s?:\s?[\w<\[{]", re.M)),
            (3, re.compile(r"\)\s?:\s?(?:number|string|boolean|void|Promise<|Array<|any)\b", re.M)),
            (2, re.compile(r"\b\w{1,60}\s?:\s?(?:number|string|boolean)\b(?:\[\])?\s?[,)=;]", re.M)),
        ),
    ),
    "rust": Language(
        "Rust",
        ("rust", "rs"),
        "Rust",
        (
            (3, re.compile(r"^[ \t]*(?:pub )?fn \w{1,60}\s?[(<]", re.M)),
            (3, re.compile(r"\bprintln!\s?\(", re.M)),
            (2, re.compile(r"\blet mut\s", re.M)),
            (3, re.compile(r"^use std::", re.M)),
        ),
        is_word=True,
    ),
    "kotlin": Language(
        "Kotlin",
        ("kotlin", "kt", "kts"),
        "kotlin",
        ((3, re.compile(r"^[ \t]*fun \w{1,60}\s?\(", re.M)), (2, re.compile(r"\breadLine\(\)!!|\breadln\(\)", re.M)), (1, re.compile(r"^[ \t]*va[lr] \w", re.M))),
    ),
    "swift": Language(
        "Swift",
        ("swift",),
        "Swift",
        ((3, re.compile(r"^import Foundation[ \t]*$", re.M)), (2, re.compile(r"^[ \t]*func \w{1,60}\([^)\n]{0,200}\)\s?->", re.M)), (2, re.compile(r"\breadLine\(\)", re.M))),
        is_word=True,
    ),
    "ruby": Language(
        "Ruby",
        ("ruby", "rb"),
        "Ruby",
        ((2, re.compile(r"^[ \t]*(?:puts|require) ", re.M)), (2, re.compile(r"\bgets\b\.?", re.M)), (2, re.compile(r"^end[ \t]*$", re.M)), (2, re.compile(r"\bdo \|\w", re.M))),
        is_word=True,
    ),
    "php": Language("PHP", ("php",), "php", ((5, re.compile(r"<\?php", re.M)),)),
    "scala": Language(
        "Scala",
        ("scala",),
        "Scala",
        ((3, re.compile(r"^object \w{1,60}\s", re.M)), (3, re.compile(r"\bargs: Array\[String\]", re.M)), (2, re.compile(r"\bdef \w{1,60}[^\n]{0,200}\) ?(?::[^\n=]{1,60})?= ?[{\n]", re.M))),
        is_word=True,
    ),
    "haskell": Language(
        "Haskell", ("haskell", "hs"), "haskell", ((4, re.compile(r"^main\s?::\s?IO", re.M)), (3, re.compile(r"^import qualified\s", re.M)), (2, re.compile(r"^main = (?:do|interact)", re.M)))
    ),
    "perl": Language("Perl", ("perl", "pl"), "Perl", ((3, re.compile(r"^use (?:strict|warnings);", re.M)), (2, re.compile(r"\bmy [$@%(]", re.M))), is_word=True),
    "pascal": Language(
        "Pascal", ("pascal", "pas"), "Pascal", ((3, re.compile(r"^program \w{1,60};", re.M)), (2, re.compile(r"\b(?:writeln|readln)\s?\(", re.M)), (1, re.compile(r"\bbegin\b", re.M))), is_word=True
    ),
    "shell": Language("shell", ("bash", "sh", "shell", "zsh"), "(?:bash|shell script)", ((4, re.compile(r"^#!.{0,60}\b(?:ba|z)?sh\b", re.M)),)),
    "lua": Language("Lua", ("lua",), "Lua", ((2, re.compile(r"\bio\.(?:read|write)\(", re.M)), (2, re.compile(r"^[ \t]*local \w", re.M)), (1, re.compile(r"\bthen[ \t]*$", re.M))), is_word=True),
    "r": Language("R", ("r", "rscript"), "R", ((3, re.compile(r"\breadLines\(|\bfile\(['\"]stdin", re.M)), (1, re.compile(r"<- ", re.M))), is_word=True),
    "julia": Language("Julia", ("julia", "jl"), "Julia", ((3, re.compile(r"\bprintln\(.{0,80}\)[ \t]*$", re.M)), (2, re.compile(r"\breadline\(", re.M))), is_word=True),
    "dart": Language("Dart", ("dart",), "Dart", ((4, re.compile(r"^import 'dart:", re.M)),), is_word=True),
}  # fmt: skip

_OF_FENCE = {fence: name for name, language in LANGUAGES.items() for fence in language.fences}
_NO_LANGUAGE = frozenset({"", "code", "text", "txt", "plaintext", "plain", "output", "input", "console", "none"})


def label_of_language(language: str) -> str:
    """How people write it: "C++"."""
    return LANGUAGES[language].label if language in LANGUAGES else language


def language_of_fence(fence: str) -> str | None:
    """The language that a code block's fence names; "" where it names none, None for one that is not known here."""
    if fence in _NO_LANGUAGE:
        return ""
    return _OF_FENCE.get(fence)


_HINT = re.compile(
    r"[;{}]|::|:=|=>|->|\b(?:func|fn|fun|function|const|let|var|import|include|package|class|puts|print\w{0,2}|main|use|object|local|my|end|console|process|System|fmt)\b|<-|^#"
)


def language_of(code: str) -> str:
    """The language that a program is in; "" where its marks do not tell, or it is no program."""
    text = code[:_LOOKED_AT]
    if not _HINT.search(text):
        return "python" if _is_python(text) else ""
    weights: Counter[str] = Counter()
    for name, language in LANGUAGES.items():
        for weight, pattern in language.marks:
            if pattern.search(text):
                weights[name] += weight
    if weights["cpp"] >= 2 + (weights["c"] >= _SURE):
        weights["cpp"] += weights["c"]
        del weights["c"]
    elif weights["c"] >= _SURE:
        weights["c"] += weights.pop("cpp", 0)
    if weights["typescript"] >= _SURE and weights["typescript"] + weights["javascript"] >= _SURE:
        weights["typescript"] += weights.pop("javascript", 0)
    ranked = weights.most_common(2)
    best, weight = ranked[0] if ranked else ("", 0)
    if _is_python(code):
        return "python"
    if weight < _SURE:
        return ""
    return "" if len(ranked) > 1 and ranked[1][1] == weight else best


def _is_python(code: str) -> bool:
    """Whether Python accepts the text, and it says more than what other languages write alike (calls and assignments)."""
    tree = parse_python(code)
    if tree is None:
        return False
    own = (
        ast.Import,
        ast.ImportFrom,
        ast.FunctionDef,
        ast.AsyncFunctionDef,
        ast.ClassDef,
        ast.For,
        ast.While,
        ast.With,
        ast.If,
        ast.Try,
    )
    return any(isinstance(node, own) or _prints(node) for node in tree.body)


def _prints(node: ast.stmt) -> bool:
    call = node.value if isinstance(node, ast.Expr | ast.Assign) else None
    return any(
        isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id in ("print", "input")
        for inner in (ast.walk(call) if call is not None else ())
    )


# ------------------------------------------------------------------------------------------ what a prompt asks for

_TO = r"\b(?:in|using|use|with|into|to|en|mit|auf)\s{1,3}(?:the\s|valid\s|modern\s|idiomatic\s|pure\s|standard\s|plain\s){0,2}"
_BEFORE = (
    r"\b(?:write|written|writing|implement\w{0,7}|solve|solution|solutions|program|programs|function|functions|code|coded|script|class|"
    r"method|algorithm|answer|provide|return|complete|create|develop|generate|give|translate|convert|rewrite|port|finish|produce|make|"
    r"submit|programa|programm|funktion|función|fonction|schreib\w{0,3}|escrib\w{0,3}|écri\w{0,5})\b[^.\n?!]{0,60}?"
    + _TO
)
_BESIDE = (
    r"\b(?:program|code|solution|function|language|lang|submission)\b\s{0,3}[(:=]\s{0,3}['\"`]?|"
    r"(?:^|\n|[.!?:] )[ \t>*-]{0,5}(?:please\s)?(?:only\s)?(?:use|using)\s{1,3}(?:only\s)?|(?:用|使用|以)\s{0,3}"
)
_AFTER = (
    r"(?:[\s-]{0,3}(?:\d{1,2}\s{1,3})?(?:programs?|codes?|functions?|solutions?|script|class|method|implementation|programmer|developer|"
    r"programming|language|engineer|snippet)\b|\s{0,3}(?:语言|程序|代码|函数|编写|实现))"
)
_ORDERED = sorted(LANGUAGES, key=lambda name: (name in ("c", "java"), name))  # longer names of the same beginning first
_NAMES = "|".join(
    f"(?P<{name}_0>(?-i:{LANGUAGES[name].names}))"
    if LANGUAGES[name].is_word
    else f"(?P<{name}_0>{LANGUAGES[name].names})"
    for name in _ORDERED
)
_NAME = rf"(?<![A-Za-z0-9_+#/.-])(?:{_NAMES})(?![A-Za-z0-9_+#]|['’]s\b)"
_ASKED = re.compile(
    rf"{_BEFORE}{_NAME}|(?:{_BESIDE}){_NAME.replace('_0>', '_1>')}|{_NAME.replace('_0>', '_2>')}{_AFTER}", re.IGNORECASE
)
_MORE = re.compile(rf"\s{{0,3}}(?:,|/|\bor\b|\band\b)\s{{0,3}}(?:or\s{{1,3}}|and\s{{1,3}})?{_NAME}", re.IGNORECASE)
_REFUSES = re.compile(
    r"\b(?:not|avoid|without|instead|rather|except|unlike|similar|never|nor|like|equivalent|whereas|compared)\b|n['’]t\b",
    re.IGNORECASE,
)
_TRANSLATES = re.compile(r"\b(?:translat|conver|rewrit|port|transpil|migrat)\w{0,6}\b", re.IGNORECASE)
_INTO = re.compile(r"\b(?:to|into|in)\s{1,3}(?:the\s|an?\s|equivalent\s|valid\s){0,2}$", re.IGNORECASE)
_STUB = re.compile(r"your (?:code|solution)|todo|write (?:your|code)|complete|\.\.\.", re.IGNORECASE)
_ANY = re.compile(r"\bany (?:programming )?language\b|\blanguage of your choice\b", re.IGNORECASE)
_NAMED = re.compile(
    r"python|[cс]\s?\+\+|cpp|c#|csharp|java|\bgo\b|golang|\bjs\b|node|typescript|rust|kotlin|swift|ruby|php|scala|haskell|perl|pascal|"
    r"bash|shell|lua|julia|dart|\bC\d{0,2}\b|\br\b",
    re.IGNORECASE,
)
"""Stands in whatever _ASKED finds, and in few other prompts."""


def asked_languages(prompt: str) -> tuple[str, ...]:
    """The languages that a prompt's own words ask for, in no order that matters; () where they ask for none."""
    text = prompt[:_PROMPT_LOOKED_AT]
    if not _NAMED.search(text) or _ANY.search(text):
        return ()
    languages: dict[str, bool] = {}
    for match in _ASKED.finditer(text):
        group = match.lastgroup or ""
        start = match.start(group)
        sentence = text[max(text.rfind("\n", 0, start), text.rfind(". ", 0, start), 0) : start][-200:]
        if _REFUSES.search(sentence):
            continue
        name = group[:-2]
        languages[name] = languages.get(name, False) or bool(
            _TRANSLATES.search(sentence) and _INTO.search(sentence[-30:])
        )
        more = _MORE.match(text, match.end(group))
        while more is not None:
            languages.setdefault((more.lastgroup or "")[:-2], False)
            more = _MORE.match(text, more.end())
    return tuple(name for name, is_target in languages.items() if is_target) or tuple(languages)


def shown_languages(prompt: str) -> dict[str, bool]:
    """Languages of the prompt's code blocks -> whether one of them is a stub to be filled in."""
    shown: dict[str, bool] = {}
    for block in fenced_blocks(prompt[:_PROMPT_LOOKED_AT]):
        language = language_of_fence(block.language)
        if language == "":
            language = language_of(block.code)
        if language:
            lines = [line for line in block.code.splitlines() if line.strip()]
            is_stub = len(lines) <= 1 or bool(_STUB.search(block.code))
            shown[language] = shown.get(language, False) or is_stub
    return shown
