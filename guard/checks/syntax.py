"""SYN: what stops a module from compiling on the deployed Python, and the names that it reads and nothing binds.

ruff's parser settles the grammar for any Python (`guard.syntax_oracle`). What only CPython's compiler refuses and ruff
does not know is asked of the running CPython, for the few files that have the constructs in question: every version
since 3.11 gives the same answer on those.
"""

from __future__ import annotations

import ast
import itertools
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from guard.checks.declared_names import DeclaredNames
from guard.checks.given_names import CALLS, WORD, Given, GivenName, given_names, may_load
from guard.checks.syntax_causes import Hint, Source, likely_causes
from guard.checks.text_types import is_test
from guard.checks.undefined import Undefined, undefined_names
from guard.checks.undefined_open import is_zope_script
from guard.families import Family
from guard.listeners import Listeners
from guard.model import Span
from guard.parse import Parsed
from guard.program import Program
from guard.scopes import BindingKind, Context, Scope
from guard.syntax_oracle import LATE_FUTURE_IMPORT, UNDEFINED_NAME, UNREAD, Diagnostic


class Fault(msgspec.Struct, frozen=True, array_like=True):
    """One thing that stops a file from compiling: the first of its kind."""

    message: str
    span: Span
    code: str
    """The line at fault, each run of blanks as one."""
    symbol: str
    more: tuple[int, ...] = ()
    """Further lines at fault."""
    hints: tuple[Hint, ...] = ()
    added_in: tuple[int, int] | None = None
    """Where the file is only too new: the oldest Python that reads all of it."""


class LateImport(msgspec.Struct, frozen=True, array_like=True):
    """A `from __future__` import behind other code."""

    span: Span
    code: str


class SyntaxFacts(msgspec.Struct, frozen=True, array_like=True):
    """What is wrong in one file."""

    broken: Fault | None = None
    """For the deployed Python and every newer one."""
    newer: Fault | None = None
    late: tuple[LateImport, ...] = ()
    undefined: tuple[Undefined, ...] = ()
    into_builtins: tuple[str, ...] = ()
    """Names that the file puts where every other file can read them."""
    into_modules: tuple[str, ...] = ()
    """Names that it gives to modules that it has loaded, of which nobody knows which ones they are."""
    into_new_modules: tuple[str, ...] = ()
    """Those that it gives to such modules before it executes them."""
    template: bool = False
    """Broken at a Jinja tag, or a script of Zope: the file becomes Python only when its host has changed it."""


class SyntaxTruth:
    """The facts of every file that has some, and what they have in common."""

    def __init__(
        self,
        files: Mapping[str, SyntaxFacts],
        declared: DeclaredNames,
        builtins: frozenset[str] = frozenset(),
        given: frozenset[GivenName] = frozenset(),
    ) -> None:
        """`builtins` and `given` are those of files that are not among `files`."""
        self.files: Final = files
        """By path."""
        self.builtins: Final = builtins.union(name for facts in files.values() for name in facts.into_builtins)
        """Names that some file of the tree puts into builtins."""
        self.given: Final = given.union(one for path, facts in files.items() for one in given_by(path, facts))
        """Names that some file of the tree gives to modules of which nobody knows which ones they are."""
        self._declared = declared

    def may_be_there(self, path: str, found: Undefined) -> bool:
        """Whether a file may have a name from elsewhere that it does not bind."""
        name = found.name
        if name in self.builtins or self._declared.has(path, name):
            return True
        for_tests = (False, True) if is_test(path) else (False,)
        before = (True, False) if found.lazy else (True,)
        return any(GivenName(name, test, new) in self.given for test in for_tests for new in before)


def given_by(path: str, facts: SyntaxFacts) -> Iterator[GivenName]:
    """The names that one file gives to modules of which nobody knows which ones they are."""
    if facts.into_modules or facts.into_new_modules:
        test = is_test(path)
        yield from (GivenName(name, test, False) for name in facts.into_modules)
        yield from (GivenName(name, test, True) for name in facts.into_new_modules)


_NO_FAULT: Final = frozenset({UNDEFINED_NAME, LATE_FUTURE_IMPORT, UNREAD})
_RUNNING: Final = sys.version_info[:2]
_MANY: Final = 20
"""Further lines at fault that are remembered."""

_COMPILER_ONLY: Final = (
    b"__debug__",
    *(b"\n" + b" " * 80, b"\n" + b"\t" * 20),  # at most twenty blocks may stand in one another
)
"""Constructs with which only CPython's compiler finds fault: see tests/syntax/test_syntax_compile_errors.py."""
_ANY_VERSION: Final = ("too many nested paren", "too many levels of indent", "Exceeds the limit", "null bytes")
"""What every CPython since 3.11 refuses alike, in the words of its parser."""
_ONE_VERSION: Final = "annotation scope"
_BUILTINS_CALLED: Final = re.compile(rb"\bimport\s+(?:builtins|__builtin__)\s+as\s+(\w+)")
_BUILTINS_SET: Final = rb"""\b(?:__builtins?__|builtins%s)\s*(?:\.__dict__)?\s*
    (?:\.(?P<attribute>\w+)\s*=[^=] | \[\s*['"](?P<entry>\w+)['"]\s*\]\s*=[^=])
    | \bsetattr\(\s*(?:__builtins?__|builtins%s)\s*,\s*['"](?P<named>\w+)['"]"""
_JINJA: Final = re.compile(r"""[ \t]*(?:\{%|\{\{|\{#)|[^"'#]*\{\{-?[ ]*[\w.]+[ ]*(?:\|[^"'#]*)?-?\}\}""")
_LINE: Final = re.compile(r" on line (\d+)$")
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e\xa1-\u024f]")


class SyntaxCollector:
    """Sees one file. Most of the work is done from the oracle's diagnostics, in `finish`."""

    def __init__(self, parsed: Parsed) -> None:
        self._parsed = parsed
        content = parsed.content
        self._suspect = any(mark in content for mark in _COMPILER_ONLY)
        self._returns: list[tuple[ast.Return, Scope]] = []
        self._nonlocal: list[tuple[ast.Nonlocal, Scope]] = []
        self._loads = False

    def listen(self, to: Listeners) -> None:
        """Say what it wants to be told of."""
        to.on(ast.Expr, self.on_expression)
        to.on(ast.FormattedValue, self.on_formatted)
        for kind in (ast.Match, ast.TryStar):
            to.on(kind, self.on_suspect)
        to.on(ast.Nonlocal, self.on_nonlocal)
        to.on(ast.Return, self.on_return)
        to.on_calls(CALLS, self.on_call)

    def on_expression(self, node: ast.Expr, _context: Context) -> None:
        """`*a` as a statement parses, and does not compile."""
        if node.value.__class__ is ast.Starred:
            self._suspect = True

    def on_formatted(self, node: ast.FormattedValue, _context: Context) -> None:
        """So does `f"{*a}"`."""
        if node.value.__class__ is ast.Starred:
            self._suspect = True

    def on_suspect(self, _node: ast.Match | ast.TryStar, _context: Context) -> None:
        """Which patterns can never be reached, and what may stand behind `except*`, is for the compiler to say."""
        self._suspect = True

    def on_nonlocal(self, node: ast.Nonlocal, context: Context) -> None:
        """A declaration may come too late, or contradict an annotation."""
        self._nonlocal.append((node, context.scope))

    def on_return(self, node: ast.Return, context: Context) -> None:
        """A `return` with a value in an async function, which may turn out to be a generator."""
        if node.value is not None and context.scope.is_async:
            self._returns.append((node, context.scope))

    def on_call(self, node: ast.Call, called: str, _context: Context) -> None:
        """A file that loads modules may give them names."""
        self._loads = self._loads or may_load(node, called)

    def finish(self, _module: Scope) -> SyntaxFacts | None:
        """The facts of the file; None where nothing is wrong with it."""
        parsed = self._parsed
        if parsed.kind == "stub":
            return None  # no Python compiles a stub
        diagnostics = parsed.diagnostics
        faults = [found for found in diagnostics if found.code not in _NO_FAULT]
        broken = self._broken([found for found in faults if found.added_in is None], bool(faults))
        newer = None if broken else _first([found for found in faults if found.added_in is not None], parsed)
        late = [found for found in diagnostics if found.code == LATE_FUTURE_IMPORT]
        loads = self._loads or WORD in parsed.content
        given = given_names(parsed.tree, parsed.content) if loads and parsed.tree is not None else Given()
        facts = SyntaxFacts(
            broken,
            newer,
            tuple(LateImport(found.span, _code(parsed, found.span.line)) for found in late),
            undefined_names(parsed, [found for found in diagnostics if found.code == UNDEFINED_NAME]),
            _into_builtins(parsed.content),
            given.behind,
            given.before,
            broken is not None
            and (_is_template(parsed.text or "", broken.span.line) or is_zope_script(parsed.content)),
        )
        return None if facts == _NOTHING else facts

    def _broken(self, faults: Sequence[Diagnostic], oracle_objects: bool) -> Fault | None:
        parsed = self._parsed
        if faults:
            believed = parsed.tree is None or parsed.rewritten or parsed.target < _RUNNING
            return _first(faults, parsed) if believed or _compile_fault(parsed) is not None else None
        if parsed.tree is None:
            return None if oracle_objects else _parser_fault(parsed)
        for node, scope in self._returns:
            if scope.has_yield:
                return _value_from_generator(parsed, node, scope)
        suspect = self._suspect or any(_may_be_wrong(node, scope) for node, scope in self._nonlocal)
        return _compile_fault(parsed) if suspect else None


def _may_be_wrong(node: ast.Nonlocal, scope: Scope) -> bool:
    """Whether a `nonlocal` is not of the usual kind: at the top of its function, its names without annotations."""
    function = scope.node
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) or getattr(function, "type_params", None):
        return True
    top = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    declarations = itertools.takewhile(lambda statement: isinstance(statement, (ast.Global, ast.Nonlocal)), top)
    annotated = (BindingKind.ANNOTATED, BindingKind.DECLARED)
    bindings = [binding for name in node.names for binding in scope.bindings.get(name, ())]
    return node not in declarations or any(binding.kind in annotated for binding in bindings)


# Faults from each of the three that find them


def _first(faults: Sequence[Diagnostic], parsed: Parsed) -> Fault | None:
    """The first of the oracle's `faults`, with the lines of the rest."""
    if not faults:
        return None
    source = Source(parsed.text or "")
    fault = faults[0]
    span, hints = fault.span, likely_causes(source, fault.span.line, fault.message)
    if fault.message == "unexpected EOF while parsing" and hints:
        span = Span(hints[0].line, 1, hints[0].line, 1)
    elif fault.message.startswith("Expected an indented block"):
        span, hints = _empty_block(source, span)
    elif fault.code == "PLE1142":
        hints = _plain_function(source, span.line)
    elif declared := _LINE.search(fault.message):
        span = Span(int(declared[1]), 1, int(declared[1]), 1)
    versions = [found.added_in for found in faults if found.added_in is not None]
    more = sorted({found.span.line for found in faults} - {fault.span.line, span.line})
    return Fault(
        _message(fault, source),
        span,
        _code(parsed, span.line),
        source.symbol(span.line),
        tuple(more[:_MANY]),
        hints,
        max(versions, default=None),
    )


def _empty_block(source: Source, span: Span) -> tuple[Span, tuple[Hint, ...]]:
    """CPython points at the first statement behind the empty block, and so does guard; the block's head is the hint."""
    head = next((line for line in source.above(span.line + 1) if line.opens_block), None)
    if head is None:
        return span, ()
    following = source.after(head.last)
    place = Span(following.first, 1, following.first, 1) if following else span
    return place, (Hint(head.first, "the block that begins here is empty"),)


def _plain_function(source: Source, line: int) -> tuple[Hint, ...]:
    """The `def` around a line, where it is not async."""
    indent = next((found.indent for found in source.lines if found.first <= line <= found.last), 0)
    for found in source.above(line):
        if found.indent < indent and found.head == "def":
            if source.code(found.first).startswith("async"):
                return ()
            return (Hint(found.first, f"`{found.name}` is a plain function"),)
        indent = min(indent, found.indent)
    return ()


def _parser_fault(parsed: Parsed) -> Fault | None:
    """What the running Python's parser refuses and the oracle reads, where that holds for the target too."""
    fault = parsed.fault
    if fault is None or parsed.text is None or fault.kind not in ("SyntaxError", "IndentationError", "TabError"):
        return None
    if parsed.target != _RUNNING and not any(known in fault.message for known in _ANY_VERSION):
        return None
    return _python_fault(parsed, fault.message, fault.span)


def _compile_fault(parsed: Parsed) -> Fault | None:
    """What the running Python's compiler says of a file that its parser reads. Nothing of the file is run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if parsed.rewritten and parsed.tree is not None:
                compile(parsed.tree, "<checked>", "exec", dont_inherit=True)
            else:
                compile(parsed.content, "<checked>", "exec", dont_inherit=True)
    except SyntaxError as error:
        if parsed.target != _RUNNING and _ONE_VERSION in error.msg:
            return None
        line = error.lineno or 1
        return _python_fault(parsed, error.msg, Span(line, error.offset or 1, line, error.offset or 1))
    except (ValueError, RecursionError, MemoryError):
        return None
    return None


def _value_from_generator(parsed: Parsed, node: ast.Return, scope: Scope) -> Fault:
    span = Span(node.lineno, node.col_offset + 1, node.lineno, node.col_offset + len("return") + 1)
    fault = _python_fault(parsed, "'return' with value in async generator", span)
    first = next((part.lineno for part in _own_code(scope.node) if isinstance(part, ast.Yield)), node.lineno)
    hint = Hint(first, "this `yield` makes the function an async generator")
    return msgspec.structs.replace(fault, symbol=scope.qualname, hints=(hint,))


def _own_code(function: ast.AST) -> list[ast.AST]:
    """The nodes of a function without those of the functions inside it, in the order of their lines."""
    found: list[ast.AST] = []
    stack = list(ast.iter_child_nodes(function))
    while stack:
        node = stack.pop()
        found.append(node)
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            stack += ast.iter_child_nodes(node)
    return sorted(found, key=lambda node: getattr(node, "lineno", 0))


def _python_fault(parsed: Parsed, message: str, span: Span) -> Fault:
    symbol = Source(parsed.text or "").symbol(span.line)
    return Fault(message, span, _code(parsed, span.line), symbol)


# Words


_SAID: Final[Mapping[str, str]] = {
    "Unexpected indentation": "unexpected indent",
    "unexpected EOF while parsing": "the file ends inside a bracket or block",
    "missing closing quote in string literal": "a string is never closed",
    "Simple statements must be separated by newlines or semicolons": "invalid syntax: two statements on one line",
}


def _message(fault: Diagnostic, source: Source) -> str:
    """A fault in a person's words, the same on every Python that runs guard."""
    if fault.code == "PLE1142":
        code = source.code(fault.span.line)
        kind = next((word for word in ("async with", "async for") if code.startswith(word)), "await")
        kind = "an asynchronous comprehension" if kind == "await" and "await" not in code else f"`{kind}`"
        return f"{kind} outside an async function"
    said = _SAID.get(fault.message, fault.message)
    said = said[:1].lower() + said[1:] if said[1:2].islower() else said
    return _UNPRINTABLE.sub(lambda match: f"U+{ord(match[0]):04X}", said)


def _code(parsed: Parsed, line: int) -> str:
    """One line of the file, each run of blanks as one; it identifies a fault, so it is kept short."""
    lines = re.split(r"\r\n|\r|\n", parsed.text or "", maxsplit=line)
    return " ".join(lines[line - 1].split())[:200] if 0 < line <= len(lines) else ""


def _is_template(text: str, line: int) -> bool:
    """Whether the line at fault, or the one above it, holds a Jinja tag."""
    lines = re.split(r"\r\n|\r|\n", text, maxsplit=line + 1)[max(line - 2, 0) : line]
    return any(_JINJA.match(found) for found in lines)


def _into_builtins(content: bytes) -> tuple[str, ...]:
    if b"builtin" not in content:
        return ()
    also = b"".join(b"|" + re.escape(name) for name in _BUILTINS_CALLED.findall(content))
    pattern = re.compile(_BUILTINS_SET % (also, also), re.VERBOSE)
    names = {match[match.lastgroup or 0].decode() for match in pattern.finditer(content)}
    return tuple(sorted(names))


_NOTHING: Final = SyntaxFacts()


def _link(program: Program) -> SyntaxTruth:
    files, declared = program.facts(FAMILY), DeclaredNames(program.tree)
    if program.focus is None:
        return SyntaxTruth(files, declared)
    return SyntaxTruth(files, declared, program.focus.whole.builtins, program.focus.whole.given)


FAMILY: Final[Family[SyntaxFacts, SyntaxTruth]] = Family(
    "syntax", 7, SyntaxFacts, _link, see_python=SyntaxCollector, sees_unparsed=True, letters=("SYN",)
)
