"""Compilers and interpreters of this machine: where they are, what they may read, and the commands that build and run a program.

Only what is listed in TOOLCHAINS has a runner. Tools are found on the user's PATH and asked for their version outside of the
sandbox: they are the user's own. Programs meet them inside of it only.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_VERSION_SECONDS = 60.0
_GO_SECONDS = 600.0
"""A Go of 1.20 or later compiles its standard library for us, once a process."""
_SHARED_PREFIXES = frozenset({Path("/"), Path("/usr"), Path("/usr/local")})
_LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/usr/share/zoneinfo")
_FILES = ("/etc/ld.so.cache", "/etc/localtime")
_COMPILERS = ("/usr/bin", "/bin", "/usr/libexec", "/usr/include", "/usr/local/include", "/etc/alternatives")
_GO_PACKAGES = """
    bufio bytes cmp container/heap container/list container/ring context crypto/md5 crypto/rand crypto/sha1 crypto/sha256
    encoding/base64 encoding/binary encoding/hex encoding/json errors flag fmt hash hash/crc32 hash/fnv html io io/ioutil
    iter log maps math math/big math/bits math/cmplx math/rand math/rand/v2 os reflect regexp runtime runtime/debug slices
    sort strconv strings sync sync/atomic testing text/tabwriter text/template time unicode unicode/utf16 unicode/utf8 unsafe
    """.split()  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a build, or the one that runs what was built."""

    argv: tuple[str, ...]
    """{dir} stands for the scratch folder, {memory} for the program's megabytes, {file} and {main} as `Recipe` says."""
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Installed:
    """A toolchain that is there."""

    language: str
    version: str
    """The first line that it says of itself."""
    readable: tuple[str, ...]
    """Folders and files for building."""
    runtime: tuple[str, ...]
    """Folders and files for running."""
    builds: tuple[tuple[Command, ...], ...]
    """Ways to build, tried in turn where one says that the program is wrong; () where nothing is built."""
    run: Command
    interpreter: str = ""
    """What /proc/self/exe shows to the language's own tools."""
    bounds_address_space: bool = False
    """Its programs reserve no more memory than they use, so that the whole address space can be limited."""
    runtime_mb: int = 64
    """What the runtime itself may use besides the program's memory."""
    startup_seconds: float = 0.0
    """What the runtime may take until the program begins, on a busy machine."""


@dataclass(frozen=True, slots=True)
class Toolchain:
    """What a language needs on a machine, and how to find it."""

    language: str
    label: str
    programs: tuple[str, ...]
    install: str
    """What would make programs of this language run here."""
    file: str
    """The source file's usual name."""
    look: Callable[[Mapping[str, str]], Installed]
    """Paths of `programs` -> the toolchain; OSError or subprocess.SubprocessError where it does not work."""


def find_toolchain(language: str) -> Installed | str:
    """The toolchain of a language on this machine, or a sentence that says what would bring it. Looked for once a process."""
    return _find(language)


@cache
def _find(language: str) -> Installed | str:
    toolchain = TOOLCHAINS.get(language)
    if toolchain is None:
        return f"rlar has no runner for {language}"
    paths = {name: shutil.which(name) for name in toolchain.programs}
    missing = [name for name, path in paths.items() if path is None]
    if missing:
        return f"{toolchain.label} programs need {' and '.join(missing)}: {toolchain.install}"
    try:
        return toolchain.look({name: str(Path(path).absolute()) for name, path in paths.items() if path})
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return f"{toolchain.label} programs cannot run here, {toolchain.programs[0]} does not work: {error}"[:300]


def _ask(argv: Sequence[str], seconds: float = _VERSION_SECONDS, environment: Mapping[str, str] | None = None) -> str:
    """What a tool of the user's says."""
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=seconds, check=True, cwd="/", stdin=subprocess.DEVNULL,
        env=None if environment is None else {**os.environ, **environment},
    )  # fmt: skip
    return (done.stdout or done.stderr).strip()


def _paths(*groups: Sequence[str]) -> tuple[str, ...]:
    """Existing paths, each once, parents first."""
    existing = dict.fromkeys(path for group in groups for path in group if os.path.exists(path))  # noqa: PTH110
    return tuple(sorted(existing, key=lambda path: (path.count("/"), path)))


def _home(executable: str) -> tuple[str, ...]:
    """The folder that a tool was installed into, where it is its own; () in /usr, which is listed by parts."""
    prefix = Path(executable).resolve().parent.parent
    return () if prefix in _SHARED_PREFIXES else (str(prefix),)


def _gnu(language: str, name: str, standards: Sequence[str]) -> Callable[[Mapping[str, str]], Installed]:
    def look(paths: Mapping[str, str]) -> Installed:
        compiler = paths[name]
        kind = "c++" if language == "cpp" else "c"
        builds = tuple(
            (
                Command(
                    (compiler, "-x", kind, f"-std={standard}", "-O2", "-w", "-fmax-errors=3", "-o", "{dir}/program",
                     "{dir}/{file}", "-lm", "-pthread"),
                    (("TMPDIR", "{dir}"),),
                ),
            )
            for standard in standards
        )  # fmt: skip
        return Installed(
            language=language,
            version=_ask([compiler, "--version"]).splitlines()[0],
            readable=_paths(_LIBRARIES, _FILES, _COMPILERS, _home(compiler)),
            runtime=_paths(_LIBRARIES, _FILES, _home(compiler)),
            builds=builds,
            run=Command(("{dir}/program",)),
            bounds_address_space=True,
        )

    return look


def _java(paths: Mapping[str, str]) -> Installed:
    java, javac = (str(Path(paths[name]).resolve()) for name in ("java", "javac"))
    settings = tuple(map(str, Path("/etc").glob("java-*")))
    small = (
        "-XX:+UseSerialGC",
        "-XX:-UsePerfData",
        "-XX:ReservedCodeCacheSize=64m",
        "-XX:CompressedClassSpaceSize=64m",
    )
    build = Command(
        (javac, *(f"-J{flag}" for flag in small), "-J-Xmx512m", "-J-XX:TieredStopAtLevel=1", "-proc:none", "-nowarn",
         "-Xmaxerrs", "3", "-encoding", "UTF-8", "-d", "{dir}/out", "{dir}/{file}"),
    )  # fmt: skip
    run = Command((java, *small, "-Xmx{memory}m", "-Xss16m", "-ea", "-cp", "{dir}/out", "{main}"))
    folders = _paths(_LIBRARIES, _FILES, _home(java), _home(javac), settings)
    return Installed(
        language="java",
        version=_ask([java, "-version"]).splitlines()[0],
        readable=folders,
        runtime=folders,
        builds=((build,),),
        run=run,
        interpreter=java,
        runtime_mb=768,
        startup_seconds=3.0,
    )


def _node(paths: Mapping[str, str]) -> Installed:
    node = str(Path(paths["node"]).resolve())
    own = (*_home(node), node)
    return Installed(
        language="javascript",
        version=f"node {_ask([node, '--version'])}",
        readable=_paths(_LIBRARIES, _FILES, own),
        runtime=_paths(_LIBRARIES, _FILES, own),
        builds=(),
        run=Command((node, "--max-old-space-size={memory}", "--stack-size=3900", "{dir}/{file}")),
        interpreter=node,
        runtime_mb=768,
        startup_seconds=2.0,
    )


def _go(paths: Mapping[str, str]) -> Installed:
    go = paths["go"]
    cache = _go_cache()
    quiet = {
        "GOCACHE": cache, "GOPATH": f"{cache}/path", "GO111MODULE": "off", "GOFLAGS": "", "GOPROXY": "off",
        "CGO_ENABLED": "0", "GOTOOLCHAIN": "local",
    }  # fmt: skip
    tools = _ask([go, "env", "GOTOOLDIR"], environment=quiet)
    root = _ask([go, "env", "GOROOT"], environment=quiet)
    line = "{{if .Export}}packagefile {{.ImportPath}}={{.Export}}{{end}}"
    known = set(_ask([go, "list", "std"], environment=quiet).split())
    wanted = [name for name in _GO_PACKAGES if name in known or name == "unsafe"]
    listed = _ask([go, "list", "-deps", "-export", "-f", line, *wanted], _GO_SECONDS, quiet)
    settings = f"{cache}/importcfg"
    Path(settings).write_text(listed + "\n", "utf-8")
    builds = (
        Command((f"{tools}/compile", "-p", "main", "-complete", "-importcfg", settings, "-o", "{dir}/main.o", "{dir}/{file}"),
                (("GOROOT", root),)),
        Command((f"{tools}/link", "-importcfg", settings, "-s", "-w", "-o", "{dir}/program", "{dir}/main.o"), (("GOROOT", root),)),
    )  # fmt: skip
    return Installed(
        language="go",
        version=_ask([go, "version"], environment=quiet),
        readable=_paths(_LIBRARIES, _FILES, _home(go), (root, tools, cache)),
        runtime=_paths(_FILES, ("/usr/share/zoneinfo",)),
        builds=(builds,),
        run=Command(("{dir}/program",), (("GOMEMLIMIT", "{memory}MiB"),)),
        runtime_mb=128,
    )


@cache
def _go_cache() -> str:
    folder = tempfile.mkdtemp(prefix="rlar-go-")
    Path(folder).chmod(0o755)  # the jail reads it as another user
    atexit.register(shutil.rmtree, folder, True)
    return folder


TOOLCHAINS: dict[str, Toolchain] = {
    each.language: each
    for each in (
        Toolchain("c", "C", ("gcc",), "install gcc", "main.c", _gnu("c", "gcc", ("gnu17", "gnu11"))),
        Toolchain("cpp", "C++", ("g++",), "install g++", "main.cpp", _gnu("cpp", "g++", ("gnu++20", "gnu++17"))),
        Toolchain("go", "Go", ("go",), "install go", "main.go", _go),
        Toolchain("java", "Java", ("java", "javac"), "install a JDK", "Main.java", _java),
        Toolchain("javascript", "JavaScript", ("node",), "install node", "main.js", _node),
    )
}
"""Languages with a runner."""

_PUBLIC_CLASS = re.compile(
    r"^[ \t]*public\s{1,9}(?:(?:final|abstract|strictfp|sealed)\s{1,9}){0,3}(?:class|interface|enum|record)\s{1,9}(\w{1,80})",
    re.M,
)
_PACKAGE = re.compile(r"^[ \t]*package\s{1,9}([\w.]{1,200})\s{0,9};", re.M)
_CLASS = re.compile(r"\b(?:class|interface|enum|record)\s{1,9}(\w{1,80})")
_MAIN = re.compile(r"\bstatic\s{1,9}(?:final\s{1,9})?void\s{1,9}main\b")
_MODULE = re.compile(r"^(?:import\b[^(\n]{0,300}['\"]|export\s)", re.M)


def source_file(language: str, program: str) -> tuple[str, str]:
    """The name that the source file must have, and what runs: (file, main class), the latter for Java alone."""
    if language == "javascript":
        return ("main.mjs" if _MODULE.search(program) else "main.js"), ""
    if language != "java":
        return TOOLCHAINS[language].file, ""
    text = blank_java(program)
    public = _PUBLIC_CLASS.search(text)
    starts = _MAIN.search(text)
    before = [match[1] for match in _CLASS.finditer(text)] if starts is None else []
    if starts is not None:
        before = _enclosing(text, starts.start())
    main = before[0] if before else (public[1] if public else "Main")
    package = _PACKAGE.search(text)
    return f"{public[1] if public else 'Main'}.java", f"{package[1]}.{main}" if package else main


def _enclosing(text: str, end: int) -> list[str]:
    """Names of the types around a place, the outermost first."""
    places = [(match.start(), match[1]) for match in _CLASS.finditer(text, 0, end)]
    stack: list[str] = []
    depth_names: list[tuple[int, str]] = []
    depth, index = 0, 0
    pending = ""
    for position in range(end):
        while index < len(places) and places[index][0] == position:
            pending = places[index][1]
            index += 1
        character = text[position]
        if character == "{":
            depth += 1
            if pending:
                depth_names.append((depth, pending))
                pending = ""
        elif character == "}":
            while depth_names and depth_names[-1][0] >= depth:
                depth_names.pop()
            depth -= 1
    stack = [name for _, name in depth_names]
    return ["$".join(stack)] if stack else []


_JAVA_NOISE = re.compile(r'//[^\n]*|/\*(?:[^*]|\*(?!/))*+(?:\*/)?|"(?:[^"\\\n]|\\.)*+"?|\'(?:[^\'\\\n]|\\.){1,6}\'')


def blank_java(program: str) -> str:
    """The program with comments and texts replaced by spaces, of the same length."""
    return _JAVA_NOISE.sub(lambda match: " " * len(match.group()), program)
