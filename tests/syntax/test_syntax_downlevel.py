"""Newer syntax rewritten: what 3.11 then reads is what newer Pythons read, name for name and line for line."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syntax_support import interpreter

from guard.downlevel import to_older_syntax

NEWER = {
    "alias": "type Pair = tuple[int, str]\nx = Pair\n",
    "alias in a class and a one-line suite": "class A:\n    type B = int; type C = str\nif A: type D = A\n",
    "generic alias in lines": "type Pair[\n    A,\n    B,  # why\n] = tuple[\n    int,\n    str,\n]\nafter = 1\n",
    "generic function": "def first[T](items: list[int]) -> int:\n    return items[0]\n",
    "generic function in lines": "async def first[\n    T,\n    *Ts,\n    **P,\n](items): return items\nafter = 1\n",
    "generic class": "class Box[T]:\n    def get[U](self, other): return self\nclass Other[T](Box): pass\n",
    "quotes": 'x = f"{a["b"]} and {c["d"]!r:>{e["f"]}}"\n',
    "nested": "x = f'{f'{f'{a}'}'}' + b\n",
    "backslash": "x = f\"{'\\n'.join(a)}\"\n",
    "lines": "x = f'{\n    a\n    +\n    b  # why\n} {\nc}'\nafter = d\n",
    "three quotes": 'x = f"""one\n{a["""b"""]}\n\ntwo {\nc:\n>{d}}\n"""\nafter = e\n',
    "beside other strings": "x = ('one'\n     f'{a['b']}'\n\n     'three' f'{c}')\nafter = d\n",
    "equals sign": "x = f'{a['b'] = } {c=!r} {d == e} {g != h:>{i}}' + f'{j:=^10}'\n",
    "equals sign and comment": "x = f'{a = # why\n}' + b\n",
    "lambda and walrus": "x = f'{(lambda q: q['a'])(b)} {(c := d['e'])}'\n",
    "call": "async def f():\n    print(f'{await g('x')}', *h)\n    yield f'{(yield i['j'])}'\n",
    "format specification": "x = f'{a:{b:{c}}} {d['e']:%H:%M}'\n",
    "dictionary": "x = {f'{a['b']}': c, **d}\n",
    "method": "x = f'{a['b']}'.join(c)[d]\n",
    "raw": "x = rf'{a['b']}\\{c}' + fr'\\{d}'\n",
    "escapes": "x = f'\\N{BULLET} {{}} {a['b']} \\{c} \\'' + d\n",
    "windows": "x = f'''{a['''b''']}\r\n{\r\nc}'''\r\nafter = d\r\n",
}
NEWEST = {
    "exceptions": "try:\n    x\nexcept A, b.C:\n    y\nexcept (D), E[0]: z\nfinally: w\n",
    "conversion across lines": "x = f'{a\n!r\n}' + f'{b!r\n} {c!s # why\n:>3}' + t'{\nd\n!a\n}'\n",
    "template": "x = t'{a} {b!r:>{c}}' + d\ny = rt'{e}' t'none'\n",
    "template without fields": "x = t'none'\n",
    "lazy import": "lazy import a.b\nlazy from c import d\nlazy = 1\n",
}


def _names(tree: ast.AST) -> list[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(f"{node.lineno} {node.id} {type(node.ctx).__name__}")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(f"{node.lineno} {type(node).__name__} {node.name}")
        elif isinstance(node, ast.Attribute):
            found.add(f"{node.end_lineno} .{node.attr}")
        elif isinstance(node, ast.Call):
            found.add(f"{node.end_lineno} call {len(node.args)}")
    return sorted(found)


_CHILD = textwrap.dedent("""
    import ast, json, sys
    {names}
    print(json.dumps([_names(ast.parse(text)) for text in json.load(sys.stdin)]))
""")


def _names_on_newer(texts: list[str]) -> list[list[str]]:
    executable = interpreter((3, 13)) or interpreter((3, 12))
    if executable is None:
        pytest.skip("only on a machine that has Python 3.12 or 3.13")
    import inspect

    program = _CHILD.format(names=inspect.getsource(_names))
    child = subprocess.run(
        [executable, "-c", program], input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    said: list[list[str]] = json.loads(child.stdout)
    return said


def test_the_same_names_on_the_same_lines() -> None:
    expected = dict(zip(NEWER, _names_on_newer(list(NEWER.values())), strict=True))
    found = {
        name: _names(ast.parse(to_older_syntax(text) or "", feature_version=(3, 11))) for name, text in NEWER.items()
    }
    assert found == expected


@pytest.mark.parametrize("name", NEWEST)
def test_syntax_that_no_python_here_reads(name: str) -> None:
    older = to_older_syntax(NEWEST[name])
    assert older is not None
    ast.parse(older)
    assert older.count("\n") == NEWEST[name].count("\n")


def test_exceptions_are_put_in_parentheses() -> None:
    assert to_older_syntax("try: x\nexcept A, B: y\n") == "try: x\nexcept (A, B): y\n"
    assert to_older_syntax("try: x\nexcept* A, B: y\n") == "try: x\nexcept* (A, B): y\n"


@pytest.mark.parametrize(
    "text",
    [
        "type = 1\ntype(x)\nx: type = int\ntype[0] = 1\nclass type: pass\n",
        "try: x\nexcept (A, B) as e: y\nexcept C[D, E]: z\n",
        "x = f'{a[\"b\"]!r:>{c}} {d}'\n",
        "x = f'''{a['b']}\n{\nc}'''\n",
        "lazy = 1\nlazy.x\n",
        "x[def_] = y\n",
        "",
    ],
)
def test_what_older_pythons_read_is_left_alone(text: str) -> None:
    ast.parse(text)
    assert to_older_syntax(text) is None


@pytest.mark.parametrize(
    "text",
    ["(" * 5000, "f'{" * 5000, "f'{x:{" * 5000, "[" * 300 + "f'{x['a']}'" + "]" * 300, "-" * 50_000 + "f'{x['a']}'"],
    ids=["brackets", "fields", "specifications", "list", "minus"],
)
def test_deep_nesting_ends_quietly(text: str) -> None:
    older = to_older_syntax(text)
    assert older is None or older.count("\n") == text.count("\n")


_PIECES = st.sampled_from(
    [
        *"fFtTrRbBxX'\"{}[]():;,.=!#\\ \n\r\t",
        "'''",
        '"""',
        "f'",
        'f"""',
        "type X",
        "def f[",
        "except ",
        "\\N{",
        "{x",
        "}}",
        "é",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES, max_size=40).map("".join))
def test_it_never_raises_and_never_loses_a_line(text: str) -> None:
    older = to_older_syntax(text)
    if older is not None:
        assert len(older.splitlines()) >= text.count("\n") - text.count("\\")


_EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "b.c", "d['e']", "g('h', i)", "'j'", "(k\n+ l)", "({'m': n}['m'])"]),
    lambda inner: inner.map(lambda text: f"f'x{{{text}}}y{{{text}!r:>10}}'") | inner.map(lambda text: f"[{text}][0]"),
    max_leaves=5,
)


@settings(max_examples=25, deadline=None)
@given(st.lists(_EXPRESSIONS, min_size=1, max_size=4))
@pytest.mark.skipif(sys.version_info < (3, 12), reason="only on a Python that reads nested quotes itself")
def test_any_nesting_of_fields_keeps_its_names(expressions: list[str]) -> None:
    text = "".join(f"x = {expression}\n" for expression in expressions)
    older = to_older_syntax(text) or text
    assert _names(ast.parse(older)) == _names(ast.parse(text))
