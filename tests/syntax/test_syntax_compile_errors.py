"""guard's verdict on a file against the real `compile()` of each Python.

The snippets cover what CPython's parser, symbol table and compiler refuse, and things near to it that they allow.
"""

from __future__ import annotations

import json
import subprocess

import pytest
from syntax_support import RUNNING, VERSIONS, facts_of, interpreter

DEEP_INDENT = "".join(" " * level + "if 1:\n" for level in range(105)) + " " * 105 + "pass\n"
NESTED_LOOPS = "".join("    " * level + "while 1:\n" for level in range(22)) + "    " * 22 + "pass\n"

SNIPPETS = {
    # the parser
    "annotated tuple": "(a, b): int = 1\n",
    "assign to call": "f() = 1\n",
    "assign to literal": "1 = x\n",
    "assign to none": "None = 1\n",
    "augmented tuple": "(a, b) += 1\n",
    "bad character": "x = $\n",
    "bad escape": 'x = "\\N{no such character}"\n',
    "bad octal": "x = 010\n",
    "bidirectional control": "x = 1 \u202e\n",
    "bytes with accents": 'x = b"é"\n',
    "colon lost": "if x\n    pass\n",
    "continuation": "x = 1 \\ \n",
    "default before": "def f(a=1, b): pass\n",
    "delete call": "del f()\n",
    "dedent between": "if 1:\n    x\n  y\n",
    "dict without value": "x = {1: 2, 3}\n",
    "empty block": "def f():\nx = 1\n",
    "except without try": "except E: pass\n",
    "except star empty": "try:\n    pass\nexcept*:\n    pass\n",
    "except star mixed": "try: pass\nexcept* A: pass\nexcept B: pass\n",
    "f-string empty": "f'{}'\n",
    "f-string open": "f'{x'\n",
    "f-string single brace": "f'}'\n",
    "generator argument": "f(x for x in y, 1)\n",
    "import star name": "from x import a.b\n",
    "indent unexpected": "x = 1\n    y = 2\n",
    "indent after import": "class A:\n    def f(self):\n        x = 1\nimport os\n        y = 2\n",
    "keyword as name": "class = 1\n",
    "keyword then positional": "f(a=1, 2)\n",
    "keyword twice": "f(a=1, a=2)\n",
    "mixed literals": 'x = "a" b"b"\n',
    "nul": "x = 1\0\n",
    "print statement": 'print "a"\n',
    "star in return is fine": "def f(a):\n    return *a, 1\n",
    "star lone": "print(*)\n",
    "star twice": "*a, *b = x\n",
    "star target": "*a = x\n",
    "starred return": "def f(a):\n    return *a\n",
    "string open": 'x = "abc\n',
    "string open, three quotes": 'x = """abc\n',
    "tabs": "if 1:\n\tx = 1\n        y = 2\n",
    "too deep indentation": DEEP_INDENT,
    "too many brackets": "(" * 300 + ")" * 300 + "\n",
    "try alone": "try:\n    pass\nx = 1\n",
    "unclosed": "x = (1,\n",
    "unmatched": "x = 1)\n",
    "with in parentheses is fine": "with (open(x) as a, open(y) as b): pass\n",
    # the symbol table
    "annotated global": "def f():\n    global x\n    x: int = 1\n",
    "annotated nonlocal": "def f():\n    a = 1\n    def g():\n        nonlocal a\n        a: int = 2\n",
    "assigned before global": "def f():\n    x = 1\n    global x\n",
    "assigned before nonlocal": "def f():\n    x = 1\n    def g():\n        x = 2\n        nonlocal x\n",
    "duplicate parameter": "def f(a, a): pass\n",
    "duplicate lambda parameter": "lambda a, a: 1\n",
    "global at module": "x = 1\nglobal x\n",
    "global parameter": "def f(a):\n    global a\n",
    "import star in function": "def f():\n    from x import *\n",
    "nonlocal at module": "nonlocal x\n",
    "nonlocal and global": "def f():\n    x = 1\n    def g():\n        nonlocal x\n        global x\n",
    "nonlocal is fine": "def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = 2\n",
    "nonlocal parameter": "def f():\n    a = 1\n    def g(a):\n        nonlocal a\n",
    "nonlocal unbound": "def f():\n    nonlocal q\n",
    "nonlocal in class": "class A:\n    nonlocal x\n",
    "used before global": "def f():\n    print(x)\n    global x\n",
    "used before nonlocal": "def f():\n    x = 1\n    def g():\n        print(x)\n        nonlocal x\n",
    "walrus in class comprehension": "class A:\n    [(y := 1) for x in z]\n",
    "walrus in iterable": "[x for x in (y := z)]\n",
    "walrus over loop name": "[x := 1 for x in y]\n",
    "yield in comprehension": "def f():\n    [(yield x) for x in y]\n",
    # futures
    "future late": "x = 1\nfrom __future__ import annotations\n",
    "future in block": "if 1:\n    from __future__ import annotations\n",
    "future behind two strings": '"""a"""\n"""b"""\nfrom __future__ import annotations\n',
    "future is fine": '# a\n"""b"""; from __future__ import annotations\n',
    "future unknown": "from __future__ import nope\n",
    "future braces": "from __future__ import braces\n",
    # the compiler
    "async comprehension": "def f():\n    [x async for x in y]\n",
    "async for": "def f():\n    async for i in x: pass\n",
    "async with": "def f():\n    async with x: pass\n",
    "await in lambda": "async def f():\n    lambda: await x\n",
    "await in module": "await x\n",
    "await in plain function": "def f():\n    await x\n",
    "await in default": "def f():\n    async def g(x=await y): pass\n",
    "break outside": "break\n",
    "break in except star": "while 1:\n    try: pass\n    except* A: break\n",
    "break in a loop in except star is fine": "try: pass\nexcept* A:\n    while 1: break\n",
    "bare except first": "try: pass\nexcept: pass\nexcept ValueError: pass\n",
    "continue outside": "continue\n",
    "continue in finally is fine": "def f():\n    while 1:\n        try: pass\n        finally: continue\n",
    "debug argument": "f(__debug__=1)\n",
    "debug assigned": "__debug__ = 1\n",
    "debug attribute": "a.__debug__ = 1\n",
    "debug deleted": "del __debug__\n",
    "debug imported": "import __debug__\n",
    "loops too deep": NESTED_LOOPS,
    "match capture first": "match x:\n    case y: pass\n    case 1: pass\n",
    "match duplicate key": 'match x:\n    case {"a": 1, "a": 2}: pass\n',
    "match or is fine": "match x:\n    case 1 | 2: pass\n    case _: pass\n",
    "match or after wildcard": "match x:\n    case _ | 1: pass\n",
    "match two stars": "match x:\n    case [*a, *b]: pass\n",
    "return at module": "return 1\n",
    "return in class": "class A:\n    return 1\n",
    "return in except star": "def f():\n    try: pass\n    except* A: return\n",
    "return value in async generator": "async def f():\n    yield 1\n    return 2\n",
    "return value above a dead yield": "async def f():\n    return 2\n    yield\n",
    "return in async generator is fine": "async def f():\n    yield 1\n    return\n",
    "return value beside inner yield is fine": "async def f():\n    def g():\n        yield 1\n    return g\n",
    "star statement": "*a\n",
    "star in f-string": "f'{*a}'\n",
    "yield at module": "yield 1\n",
    "yield in class": "class A:\n    yield 1\n",
    "yield from in async": "async def f():\n    yield from x\n",
    "yield in lambda is fine": "lambda: (yield)\n",
    # newer than 3.11
    "quotes in f-string": 'f"{x["a"]}"\n',
    "backslash in f-string": "f\"{'\\n'.join(x)}\"\n",
    "comment in f-string": 'f"""{\nx  # why\n}"""\n',
    "type alias": "type X[T] = list[T]\n",
    "type parameters": "def f[T](x: T) -> T: return x\nclass A[T: int, *Ts, **P]: pass\n",
    "type parameter twice": "def f[T, T](): pass\n",
    "type parameter default": "class A[T = int]: pass\n",
    "type alias yields": "type X = (yield)\n",
    "exceptions bare": "try: pass\nexcept A, B: pass\n",
    "t-string": 't"{x}"\n',
}

ONLY_SEEN_BY_ITS_OWN_VERSION = {"star in f-string"}
"""Told by the running Python where it is the deployed one; ruff reads it."""

_CHILD = """
import json, sys, warnings
warnings.simplefilter("ignore")
said = {}
for name, text in json.load(sys.stdin).items():
    try:
        compile(text.encode(), name, "exec", dont_inherit=True)
        said[name] = None
    except (SyntaxError, ValueError) as error:
        said[name] = getattr(error, "lineno", None) or 1
json.dump(said, sys.stdout)
"""


@pytest.mark.parametrize("version", VERSIONS, ids="%d.%d".__mod__)
def test_verdicts_are_those_of_compile(version: tuple[int, int]) -> None:
    executable = interpreter(version)
    if executable is None:
        pytest.skip("only on a machine that has Python %d.%d" % version)
    child = subprocess.run(
        [executable, "-c", _CHILD], input=json.dumps(SNIPPETS), capture_output=True, text=True, check=True
    )
    refused = {name for name, line in json.loads(child.stdout).items() if line}
    found = dict(zip(SNIPPETS, facts_of([text.encode() for text in SNIPPETS.values()], version), strict=True))
    told = {name for name, facts in found.items() if facts.broken or facts.newer or facts.late}
    unseen = set() if version == RUNNING else ONLY_SEEN_BY_ITS_OWN_VERSION
    assert told - unseen == refused - unseen
    newer = {name for name in refused if found[name].newer}
    assert all(found[name].newer.added_in > version for name in newer)  # type: ignore[union-attr,operator]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("indent after import", 5),
        ("return value in async generator", 3),
        ("return value above a dead yield", 2),
        ("used before global", 3),
        ("annotated nonlocal", 5),
        ("break in except star", 3),
        ("unclosed", 1),
        ("await in default", 2),
        ("empty block", 2),
        ("too deep indentation", 101),
    ],
)
def test_the_line_is_that_of_compile(name: str, line: int) -> None:
    with pytest.raises(SyntaxError) as refused:
        compile(SNIPPETS[name].encode(), name, "exec", dont_inherit=True)
    (facts,) = facts_of([SNIPPETS[name].encode()])
    assert facts.broken is not None
    assert facts.broken.span.line == refused.value.lineno == line


def test_every_version_of_guard_tells_the_same_of_the_same_file() -> None:
    """What is said of a target depends on the target; the grammar faults among it not even on that."""
    grammar = ["colon lost", "unclosed", "indent after import", "string open", "await in plain function"]
    said = [
        [f.broken for f in facts_of([SNIPPETS[name].encode() for name in grammar], version)] for version in VERSIONS
    ]
    assert None not in said[0]
    assert said[0] == said[1] == said[2]
