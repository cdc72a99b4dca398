"""Programs in other languages: built once, run per case, and held like Python's."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from rlar.sandbox import Limits, Pool, RunResult, TierReport
from rlar.sandbox.languages.toolchains import TOOLCHAINS, source_file
from rlar.sandbox.languages.workshop import runner

SUMS = {
    "c": '#include <stdio.h>\nint main(void) { long a, b; scanf("%ld %ld", &a, &b); printf("%ld\\n", a + b); return 0; }\n',
    "cpp": "#include <iostream>\nint main() { long a, b; std::cin >> a >> b; std::cout << a + b << '\\n'; }\n",
    "go": 'package main\n\nimport "fmt"\n\nfunc main() {\n\tvar a, b int\n\tfmt.Scan(&a, &b)\n\tfmt.Println(a + b)\n}\n',
    "java": (
        "import java.util.Scanner;\n\npublic class Sum {\n    public static void main(String[] args) {\n"
        "        Scanner in = new Scanner(System.in);\n        System.out.println(in.nextLong() + in.nextLong());\n    }\n}\n"
    ),
    "javascript": "const [a, b] = require('fs').readFileSync(0, 'utf8').split(/\\s+/).map(Number);\nconsole.log(a + b);\n",
}


def c(body: str) -> str:
    """A C program with this main, and declarations of what hostile ones call."""
    return (
        "#define _GNU_SOURCE\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n#include <fcntl.h>\n"
        "#include <signal.h>\n#include <sched.h>\n#include <dirent.h>\n#include <errno.h>\n#include <sys/mman.h>\n#include <sys/socket.h>\n"
        "#include <sys/wait.h>\n#include <sys/syscall.h>\n#include <sys/stat.h>\n#include <sys/ptrace.h>\n#include <sys/mount.h>\n"
        "#include <sys/resource.h>\n#include <sys/prctl.h>\n#include <netinet/in.h>\n#include <pthread.h>\n\n"
        f"int main(void) {{\n{body}\nreturn 0;\n}}\n"
    )


@pytest.fixture(scope="module")
def shop(tier_report: TierReport):
    if not tier_report.state("ns").available:
        pytest.skip(f"tier ns: {tier_report.state('ns').reason}")
    with Pool(tier="ns", workers=2, limits=Limits(seconds=10.0)) as pool:
        yield pool


def needed(pool: Pool, language: str) -> None:
    if missing := pool.missing_runner(language):
        pytest.skip(missing)


def run(pool: Pool, language: str, program: str, stdin: str = "", **limits: object) -> RunResult:
    needed(pool, language)
    return pool.run_stdio(
        program, [(stdin, "")], limits=Limits(**{"seconds": 10.0, **limits}), compare=lambda *_: True, language=language
    )[0]  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------ what it is for


@pytest.mark.parametrize("language", sorted(SUMS))
def test_a_program_is_built_once_and_run_for_every_case(shop: Pool, language: str):
    needed(shop, language)
    results = shop.run_stdio(
        SUMS[language], [("1 2\n", "3\n"), ("40 2\n", "42\n"), ("1 1\n", "3\n")], language=language
    )
    assert [result.status for result in results] == ["passed", "passed", "failed"]
    assert results[0].tier == "ns"
    assert not any(result.forgeable or result.unsafe for result in results)


@pytest.mark.parametrize("language", sorted(SUMS))
def test_what_does_not_compile_is_the_programs_fault(shop: Pool, language: str):
    needed(shop, language)
    result = shop.run_stdio(SUMS[language] + "\n)))", [("1 2\n", "3\n")], language=language)[0]
    assert result.status == "failed"
    assert language == "javascript" or result.explanation.startswith("does not compile: ")


def test_a_language_without_a_runner_is_refused_and_says_so(any_pool: Pool):
    assert any_pool.missing_runner("cobol") == "rlar has no runner for cobol"
    assert any_pool.run_stdio("x", [("", "")], language="cobol")[0].status == "refused"
    assert any_pool.missing_runner("python") == ""


@pytest.mark.parametrize("tier", ["ll", "sec"])
def test_tiers_that_cannot_end_all_of_a_compilers_processes_run_python_only(tier: str):
    assert "need sandbox tier ns" in str(runner(tier, "cpp"))


def test_a_missing_toolchain_says_what_would_bring_it(monkeypatch: pytest.MonkeyPatch):
    from rlar.sandbox.languages import toolchains

    monkeypatch.setattr(toolchains.shutil, "which", lambda _name: None)
    assert {toolchains._find.__wrapped__(language) for language in ("go", "java")} == {
        "Go programs need go: install go",
        "Java programs need java and javac: install a JDK",
    }


def test_a_broken_toolchain_is_no_verdict_on_a_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from rlar.sandbox.languages import toolchains

    broken = tmp_path / "g++"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(toolchains.shutil, "which", lambda _name: str(broken))
    found = toolchains._find.__wrapped__("cpp")
    assert isinstance(found, str) and "g++ does not work" in found


def test_javas_file_and_main_class_are_read_from_the_program():
    assert source_file("java", SUMS["java"]) == ("Sum.java", "Sum")
    assert source_file("java", 'package a.b;\nclass Util { String s = "class X { static void main"; }\n// public class No\nclass Run { static void main(String[] a) {} }') == (
        "Main.java", "a.b.Run",
    )  # fmt: skip
    assert source_file(
        "java", "public class Out { static class In { int x; }\n public static void main(String[] a) {} }"
    ) == ("Out.java", "Out")
    assert source_file("javascript", "import fs from 'fs';\n")[0] == "main.mjs"
    assert source_file("javascript", "const fs = require('fs');")[0] == "main.js"


# ------------------------------------------------------------------------------------------ what a program must not do

ATTEMPTS = {
    "reads a file of the host": 'FILE *f = fopen("/etc/passwd", "r"); puts(f ? "got" : "held");',
    "reads shadow": 'FILE *f = fopen("/etc/shadow", "r"); puts(f ? "got" : "held");',
    "lists the root's home": 'DIR *d = opendir("/root"); puts(d ? "got" : "held");',
    "lists processes": 'DIR *d = opendir("/proc/1"); puts(d ? "got" : "held");',
    "writes beside its own program": 'int f = open("/work/other", O_CREAT | O_WRONLY, 0600); puts(f >= 0 ? "got" : "held");',
    "changes its own program": 'int f = open("/work/program", O_WRONLY); puts(f >= 0 ? "got" : "held");',
    "writes to /tmp": 'int f = open("/tmp/other", O_CREAT | O_WRONLY, 0600); puts(f >= 0 ? "got" : "held");',
    "opens a socket": 'puts(socket(AF_INET, SOCK_STREAM, 0) >= 0 ? "got" : "held");',
    "opens a unix socket": 'puts(socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? "got" : "held");',
    "forks": 'puts(fork() >= 0 ? "got" : "held");',
    "starts a shell": 'puts(system("true") == 0 ? "got" : "held");',
    "signals its parent": 'puts(kill(getppid(), SIGKILL) == 0 ? "got" : "held");',
    "kills everybody": 'puts(kill(-1, SIGKILL) == 0 ? "got" : "held");',
    "makes a namespace": 'puts(unshare(CLONE_NEWUSER) == 0 ? "got" : "held");',
    "traces its parent": 'puts(ptrace(PTRACE_ATTACH, getppid(), 0, 0) == 0 ? "got" : "held");',
    "mounts": 'puts(mount("none", "/work", "tmpfs", 0, 0) == 0 ? "got" : "held");',
    "becomes root": 'puts(setuid(0) == 0 && getuid() == 0 && open("/root", O_RDONLY) >= 0 ? "got" : "held");',
    "uses io_uring": 'puts(syscall(425, 1, 0) >= 0 ? "got" : "held");',
    "makes an anonymous file": 'puts(syscall(319, "x", 0) >= 0 ? "got" : "held");',
    "shares memory that nobody counts": 'puts(mmap(0, 1 << 20, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED ? "got" : "held");',
    "raises its own limits": 'struct rlimit l = {100, 100}; puts(setrlimit(RLIMIT_CPU, &l) == 0 ? "got" : "held");',
    "reads another process's memory": 'char b[8]; puts(syscall(310, getppid(), 0, 0, 0, 0, 0) >= 0 ? "got" : "held");',
    "asks for keys": 'puts(syscall(250, 0, -3, 1) >= 0 ? "got" : "held");',
    "finds open descriptors": (
        "int more = 0; for (int f = 3; f < 1024; f++) more += fcntl(f, F_GETFD) >= 0; puts(more ? \"got\" : \"held\");"
    ),
}  # fmt: skip


def test_nothing_of_the_machine_is_there_for_a_program(shop: Pool):
    """All in one program: every act is tried, none succeeds."""
    needed(shop, "c")
    body = "\n".join(
        f'{{ printf("{name}: "); fflush(stdout); {act} fflush(stdout); }}' for name, act in ATTEMPTS.items()
    )
    result = run(shop, "c", c(body))
    assert result.status == "passed", result
    said = dict(line.split(": ") for line in result.output.splitlines())
    assert said == dict.fromkeys(ATTEMPTS, "held")


def test_the_environment_holds_no_secret(shop: Pool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    result = run(shop, "c", c("extern char **environ; for (char **e = environ; *e; e++) puts(*e);"))
    assert "secret" not in result.output
    assert "PATH=/usr/bin:/bin" in result.output


@pytest.mark.parametrize(
    ("body", "statuses"),
    [
        ("for (;;) ;", {"timeout"}),
        ("for (;;) pause();", {"timeout"}),
        ("signal(SIGXCPU, SIG_IGN); signal(SIGTERM, SIG_IGN); for (;;) ;", {"timeout"}),
        ("for (;;) { char *p = malloc(1 << 20); if (!p) return 3; memset(p, 1, 1 << 20); }", {"failed"}),
        ("for (;;) puts(\"all work and no play\");", {"crashed"}),
        ("int *p = 0; *p = 1;", {"crashed"}),
        ("abort();", {"crashed"}),
        ("raise(SIGKILL); return 4;", {"failed"}),
        ("while (fork() >= 0) ; return 5;", {"failed"}),
    ],
)  # fmt: skip
def test_a_program_without_measure_ends_as_wrong(shop: Pool, body: str, statuses: set[str]):
    started = time.monotonic()
    # What another limit stops gets the time for it, however busy the machine is.
    result = run(shop, "c", c(body), seconds=2.0 if statuses == {"timeout"} else 30.0)
    assert result.status in statuses, result
    assert len(result.output) <= 1 << 20
    assert time.monotonic() - started < 90


def test_threads_are_bounded(shop: Pool):
    body = (
        "pthread_attr_t a; pthread_attr_init(&a); pthread_attr_setstacksize(&a, 65536); pthread_t t; long n = 0;"
        "while (n < 5000 && pthread_create(&t, &a, (void *(*)(void *))pause, 0) == 0) n++; printf(\"%ld\\n\", n);"
    )  # fmt: skip
    result = run(shop, "c", c(body))
    assert result.status == "passed", result
    assert 8 <= int(result.output) < 300


def test_nothing_is_left_for_the_next_case_or_program(shop: Pool):
    """A program that remembers: what it leaves in memory, files and processes is gone for the next run."""
    needed(shop, "javascript")
    leaves = "const fs = require('fs');\nfor (const f of ['/work/left', '/tmp/left', '/dev/left']) { try { fs.writeFileSync(f, '1'); } catch (e) {} }\n"
    looks = "console.log(fs.readdirSync('/work').includes('left'));\n"
    results = shop.run_stdio(leaves + looks, [("", "false\n"), ("", "false\n")], language="javascript")
    assert [result.status for result in results] == ["passed", "passed"]


HOSTILE_SOURCES = {
    "includes a secret": ("cpp", '#include "/etc/shadow"\nint main() {}\n'),
    "includes without end": ("cpp", '#include "/dev/zero"\nint main() {}\n'),
    "includes itself": ("cpp", '#include "main.cpp"\nint main() {}\n'),
    "recursion of templates": ("cpp", "template <unsigned long n> struct T { static const unsigned long v = T<n + 1>::v + T<n + 2>::v; };\nint main() { return T<0>::v; }\n"),
    "a giant array": ("c", "char giant[1ul << 34] = {1};\nint main(void) { return giant[0]; }\n"),
    "macros that double": ("c", "".join(f"#define A{n} A{n - 1} A{n - 1}\n" for n in range(1, 40)) + "#define A0 1+\nint x = A39 1;\nint main(void) { return x; }\n"),
    "an assembler that reads": ("c", '__asm__(".incbin \\"/etc/shadow\\"");\nint main(void) { return 0; }\n'),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(HOSTILE_SOURCES))
def test_a_source_that_attacks_its_compiler_is_wrong(shop: Pool, name: str):
    language, source = HOSTILE_SOURCES[name]
    needed(shop, language)
    result = run(shop, language, source)
    assert result.status in ("failed", "timeout", "memory", "crashed"), result
    assert "root:" not in result.explanation
    assert shop.run_stdio(SUMS[language], [("1 2", "3")], language=language)[0].passed


JAVA = "import java.io.*;\nimport java.nio.file.*;\npublic class Main {{ public static void main(String[] args) throws Exception {{ {} }} }}\n"
RUNTIME_ATTEMPTS = {
    "java reads": ("java", JAVA.format('System.out.println(Files.exists(Path.of("/etc/passwd")));'), "false"),
    "java starts": ("java", JAVA.format('try { new ProcessBuilder("true").start(); System.out.println("got"); } catch (IOException e) { System.out.println("held"); }').replace("{{", "{").replace("}}", "}"), "held"),
    "java connects": ("java", JAVA.format('try { new java.net.Socket("127.0.0.1", 22); System.out.println("got"); } catch (Throwable e) { System.out.println("held"); }'), "held"),
    "java writes": ("java", JAVA.format('try { Files.writeString(Path.of("/work/out/Main.class"), "x"); System.out.println("got"); } catch (IOException e) { System.out.println("held"); }'), "held"),
    "node reads": ("javascript", "try { require('fs').readFileSync('/etc/passwd'); console.log('got'); } catch (e) { console.log('held'); }\n", "held"),
    "node starts": ("javascript", "const r = require('child_process').spawnSync('true'); console.log(r.status === 0 ? 'got' : 'held');\n", "held"),
    "node listens": ("javascript", "const s = require('net').createServer(); s.on('error', () => console.log('held')); s.listen(0, () => { console.log('got'); process.exit(); });\n", "held"),
    "node kills": ("javascript", "try { process.kill(process.ppid, 'SIGKILL'); console.log('got'); } catch (e) { console.log('held'); }\n", "held"),
    "go starts": ("go", 'package main\n\nimport ("fmt"; "os")\n\nfunc main() {\n\t_, e := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})\n\tif e != nil { fmt.Println("held") } else { fmt.Println("got") }\n}\n', "held"),
    "go reads": ("go", 'package main\n\nimport ("fmt"; "os")\n\nfunc main() {\n\t_, e := os.ReadFile("/etc/passwd")\n\tif e != nil { fmt.Println("held") } else { fmt.Println("got") }\n}\n', "held"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(RUNTIME_ATTEMPTS))
def test_runtimes_of_other_languages_reach_nothing_either(shop: Pool, name: str):
    language, source, wanted = RUNTIME_ATTEMPTS[name]
    result = run(shop, language, source)
    assert (result.status, result.output.strip()) == ("passed", wanted), result


GREEDY = {
    "java memory": ("java", JAVA.format("java.util.List<byte[]> l = new java.util.ArrayList<>(); for (;;) l.add(new byte[1 << 20]);")),
    "java threads": ("java", JAVA.format("for (;;) new Thread(() -> { try { Thread.sleep(100000); } catch (Exception e) {} }).start();")),
    "java output": ("java", JAVA.format('for (;;) System.out.println("all work and no play");')),
    "java loop": ("java", JAVA.format("for (;;) ;")),
    "java exit code": ("java", JAVA.format("System.exit(3);")),
    "node memory": ("javascript", "const l = []; for (;;) l.push(Buffer.alloc(1 << 20, 1));\n"),
    "node heap": ("javascript", "const l = []; for (;;) l.push({a: l.length});\n"),
    "node loop": ("javascript", "for (;;) ;\n"),
    "node workers": ("javascript", "const {Worker} = require('worker_threads'); for (let i = 0; i < 500; i++) new Worker('setInterval(() => {}, 1000)', {eval: true});\n"),
    "go memory": ("go", "package main\n\nfunc main() {\n\tvar l [][]byte\n\tfor {\n\t\tb := make([]byte, 1<<20)\n\t\tfor i := range b {\n\t\t\tb[i] = 1\n\t\t}\n\t\tl = append(l, b)\n\t}\n}\n"),
    "go loop": ("go", "package main\n\nfunc main() {\n\tfor {\n\t}\n}\n"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(GREEDY))
def test_runtimes_without_measure_end_as_wrong(shop: Pool, name: str):
    language, source = GREEDY[name]
    result = run(shop, language, source, seconds=4.0, memory_mb=256)
    assert result.status in ("failed", "timeout", "memory", "crashed"), result
    assert result.memory_mb is None or result.memory_mb < 1400


def test_a_closed_pool_ends_its_programs():
    pool = Pool(tier="ns", workers=1)
    try:
        needed(pool, "c")
        future = pool.submit(
            pool.run_stdio, c("for (;;) pause();"), [("", "")], limits=Limits(seconds=60.0), language="c"
        )
        deadline = time.monotonic() + 30
        while not pool._built and time.monotonic() < deadline:
            time.sleep(0.05)
        started = time.monotonic()
    finally:
        pool.close()
    assert future.cancelled() or future.result(timeout=30)[0].status in ("refused", "timeout")
    assert time.monotonic() - started < 45


def test_every_toolchain_is_named_for_people():
    assert {toolchain.label for toolchain in TOOLCHAINS.values()} == {"C", "C++", "Go", "Java", "JavaScript"}
    assert os.path.basename(TOOLCHAINS["java"].file) == "Main.java"  # noqa: PTH119
