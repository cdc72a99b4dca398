"""Small problems solved in five languages, right and wrong: own writing. Input: a line with n, a line with n integers.

Each is written once, in a subset that C, C++, Java and JavaScript share and that Go is a few words away from: `INT x = e;`
declares, `DIV(a, b)` divides towards zero, `OUT(x);` prints a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from math import gcd
from typing import NamedTuple

LANGUAGES = ("c", "cpp", "go", "java", "javascript")
INPUTS = ([3, 1, 2], [5], [-4, 7, 7, 0, 12, -9], [10, 9, 8, 7, 6, 5, 4, 3, 2, 1], [2, 2, 2, 2], [1, 100, 37, 64, 81])


class Problem(NamedTuple):
    """One problem."""

    name: str
    body: str
    spoiled: tuple[str, str]
    """What to replace by what to make it wrong on some of INPUTS."""
    answer: Callable[[list[int]], object]


def _runs(a: list[int]) -> int:
    return sum(1 for i, x in enumerate(a) if i == 0 or a[i - 1] != x)


def _longest_rise(a: list[int]) -> int:
    best = run = 1
    for before, after in pairwise(a):
        run = run + 1 if after > before else 1
        best = max(best, run)
    return best


def _best_sum(a: list[int]) -> int:
    return max(sum(a[i:j]) for i in range(len(a)) for j in range(i + 1, len(a) + 1))


def _steps(x: int) -> int:
    count = 0
    while x > 1:
        x, count = (x // 2 if x % 2 == 0 else 3 * x + 1), count + 1
    return count


PROBLEMS = (
    Problem("sum", "INT s = 0; for (INT i = 0; i < n; i++) { s += a[i]; } OUT(s);", ("i < n", "i < n - 1"), sum),
    Problem("largest", "INT m = a[0]; for (INT i = 1; i < n; i++) { if (a[i] > m) { m = a[i]; } } OUT(m);", ("> m", "< m"), max),
    Problem("smallest", "INT m = a[0]; for (INT i = 1; i < n; i++) { if (a[i] < m) { m = a[i]; } } OUT(m);", ("< m", "> m"), min),
    Problem("evens", "INT c = 0; for (INT i = 0; i < n; i++) { if (a[i] % 2 == 0) { c += 1; } } OUT(c);", ("== 0", "!= 0"), lambda a: sum(x % 2 == 0 for x in a)),
    Problem("range", "INT h = a[0]; INT l = a[0]; for (INT i = 0; i < n; i++) { if (a[i] > h) { h = a[i]; } if (a[i] < l) { l = a[i]; } } OUT(h - l);", ("h - l", "h + l"), lambda a: max(a) - min(a)),
    Problem("backwards", "for (INT i = n - 1; i >= 0; i--) { OUT(a[i]); }", ("i >= 0", "i > 0"), lambda a: "\n".join(map(str, a[::-1]))),
    Problem("prefixes", "INT s = 0; for (INT i = 0; i < n; i++) { s += a[i]; OUT(s); }", ("s += a[i]", "s = a[i]"), lambda a: "\n".join(str(sum(a[: i + 1])) for i in range(len(a)))),
    Problem("sorted", "INT good = 1; for (INT i = 1; i < n; i++) { if (a[i] < a[i - 1]) { good = 0; } } OUT(good);", ("good = 0", "good = 1"), lambda a: int(a == sorted(a))),
    Problem("second", "INT c = 0; for (INT i = 0; i < n; i++) { INT p = 1; for (INT j = 0; j < i; j++) { if (a[j] == a[i]) { p = 0; } } c += p; } OUT(c);", ("p = 0", "p = 1"), lambda a: len(set(a))),
    Problem("mean", "INT s = 0; for (INT i = 0; i < n; i++) { s += a[i]; } OUT(DIV(s, n));", ("DIV(s, n)", "DIV(s, n + 1)"), lambda a: int(sum(a) / len(a))),
    Problem("squares", "INT s = 0; for (INT i = 0; i < n; i++) { s += a[i] * a[i]; } OUT(s);", ("a[i] * a[i]", "a[i] + a[i]"), lambda a: sum(x * x for x in a)),
    Problem("alternating", "INT s = 0; INT f = 1; for (INT i = 0; i < n; i++) { s += f * a[i]; f = -f; } OUT(s);", ("f = -f", "f = f"), lambda a: sum(x * (-1) ** i for i, x in enumerate(a))),
    Problem("place", "INT m = 0; for (INT i = 1; i < n; i++) { if (a[i] > a[m]) { m = i; } } OUT(m);", ("> a[m]", ">= a[m]"), lambda a: a.index(max(a))),
    Problem("positive", "INT c = 0; for (INT i = 0; i < n; i++) { if (a[i] > 0) { c += 1; } } OUT(c);", ("> 0", "> 1"), lambda a: sum(x > 0 for x in a)),
    Problem("runs", "INT c = 1; for (INT i = 1; i < n; i++) { if (a[i] != a[i - 1]) { c += 1; } } OUT(c);", ("INT c = 1", "INT c = 0"), _runs),
    Problem("rise", "INT b = 1; INT r = 1; for (INT i = 1; i < n; i++) { if (a[i] > a[i - 1]) { r += 1; } else { r = 1; } if (r > b) { b = r; } } OUT(b);", ("r = 1; }", "r = 0; }"), _longest_rise),
    Problem("best", "INT b = a[0]; INT r = a[0]; for (INT i = 1; i < n; i++) { if (r < 0) { r = 0; } r += a[i]; if (r > b) { b = r; } } OUT(b);", ("r < 0", "r > 0"), _best_sum),
    Problem("divisor", "INT g = 0; for (INT i = 0; i < n; i++) { INT x = a[i]; if (x < 0) { x = -x; } while (x != 0) { INT t = g % x; g = x; x = t; } } OUT(g);", ("g = x", "g = t"), lambda a: gcd(*a)),
    Problem("steps", "INT c = 0; INT x = a[0]; while (x > 1) { if (x % 2 == 0) { x = DIV(x, 2); } else { x = 3 * x + 1; } c += 1; } OUT(c);", ("3 * x + 1", "x + 1"), lambda a: _steps(a[0])),
    Problem("pairs", "INT c = 0; for (INT i = 0; i < n; i++) { for (INT j = i + 1; j < n; j++) { if (a[i] > a[j]) { c += 1; } } } OUT(c);", ("> a[j]", "< a[j]"), lambda a: sum(a[i] > a[j] for i in range(len(a)) for j in range(i + 1, len(a)))),
    Problem("equal", "INT c = 0; for (INT i = 0; i < n; i++) { for (INT j = i + 1; j < n; j++) { if (a[i] == a[j]) { c += 1; } } } OUT(c);", ("j = i + 1", "j = i"), lambda a: sum(a[i] == a[j] for i in range(len(a)) for j in range(i + 1, len(a)))),
    Problem("power", "INT p = 1; for (INT i = 0; i < n; i++) { p = p * 3 % 1009; } OUT(p);", ("* 3", "* 2"), lambda a: 3 ** len(a) % 1009),
    Problem("digits", "INT s = 0; for (INT i = 0; i < n; i++) { INT x = a[i]; if (x < 0) { x = -x; } while (x > 0) { s += x % 10; x = DIV(x, 10); } } OUT(s);", ("x % 10", "1"), lambda a: sum(int(d) for x in a for d in str(abs(x)))),
    Problem("primes", "INT c = 0; for (INT i = 0; i < n; i++) { INT p = 0; if (a[i] > 1) { p = 1; for (INT d = 2; d * d <= a[i]; d++) { if (a[i] % d == 0) { p = 0; } } } c += p; } OUT(c);", ("d * d <= a[i]", "d * d < a[i]"), lambda a: sum(x > 1 and all(x % d for d in range(2, x)) for x in a)),
    Problem("ends", "OUT(a[0] + a[n - 1]);", ("a[n - 1]", "a[0]"), lambda a: a[0] + a[-1]),
    Problem("triangle", "INT s = 0; for (INT i = 1; i <= n; i++) { s += i * (i + 1); } OUT(DIV(s, 2));", ("i <= n", "i < n"), lambda a: sum(i * (i + 1) for i in range(1, len(a) + 1)) // 2),
)  # fmt: skip

_AROUND = {
    "c": '#include <stdio.h>\n\nint main(void) {\n  long n, a[100];\n  if (scanf("%ld", &n) != 1) return 1;\n  for (long i = 0; i < n; i++) scanf("%ld", &a[i]);\n  BODY\n  return 0;\n}\n',
    "cpp": "#include <iostream>\n#include <vector>\nusing namespace std;\n\nint main() {\n  long n;\n  cin >> n;\n  vector<long> a(n);\n  for (auto &x : a) cin >> x;\n  BODY\n}\n",
    "go": 'package main\n\nimport "fmt"\n\nfunc main() {\n\tvar n int64\n\tfmt.Scan(&n)\n\ta := make([]int64, n)\n\tfor i := range a {\n\t\tfmt.Scan(&a[i])\n\t}\n\tBODY\n}\n',
    "java": "import java.util.*;\n\npublic class Main {\n  public static void main(String[] args) {\n    Scanner in = new Scanner(System.in);\n    int n = in.nextInt();\n    long[] a = new long[n];\n    for (int i = 0; i < n; i++) a[i] = in.nextLong();\n    BODY\n  }\n}\n",
    "javascript": "const [n, ...a] = require('fs').readFileSync(0, 'utf8').trim().split(/\\s+/).map(Number);\nBODY\n",
}
_OUT = {
    "c": r'printf("%ld\\n", (long)(\1));', "cpp": r"cout << \1 << endl;", "go": r"fmt.Println(\1);",
    "java": r"System.out.println(\1);", "javascript": r"console.log(\1);",
}  # fmt: skip


def program(problem: Problem, language: str, *, right: bool = True) -> str:
    """The problem's solution in a language; spoiled where it is not to be right."""
    body = problem.body if right else problem.body.replace(*problem.spoiled)
    assert right or body != problem.body, problem.name
    divided = r"Math.trunc((\1) / (\2))" if language == "javascript" else r"((\1) / (\2))"
    body = re.sub(r"DIV\(([^,()]+), ([^()]+)\)", divided, body)
    body = re.sub(r"OUT\(((?:[^()]|\((?:[^()]|\([^()]*\))*\))+)\);", _OUT[language], body)
    if language == "go":
        body = re.sub(r"for \(INT (\w+) = ([^;]+);([^;]+);([^;)]+)\) \{", r"for \1 := int64(\2);\3;\4 {", body)
        body = re.sub(r"INT (\w+) = ([^;]+);", r"\1 := int64(\2);", body)
        body = re.sub(r"while \(([^()]+)\) \{", r"for \1 {", body)
        body = re.sub(r"\} (?!else)", "}\n\t", body)
    else:
        kind = {"javascript": "let"}.get(language, "long")
        body = re.sub(r"\bINT\b", kind, body)
        if language == "java":  # indexes are int
            body = re.sub(r"\blong (?=[ijmd]\b)", "int ", body).replace("int m = a[0]", "long m = a[0]")
    return _AROUND[language].replace("BODY", body)


def cases(problem: Problem) -> list[tuple[str, str]]:
    """Inputs and right outputs."""
    return [(f"{len(a)}\n{' '.join(map(str, a))}\n", f"{problem.answer(a)}\n") for a in INPUTS]
