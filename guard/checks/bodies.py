"""The bodies of definitions, in a form that they can be compared by.

A body becomes a stream of tokens from its syntax tree: without positions, comments, docstrings and its own name. Equal
streams have equal digests; how like two streams are is estimated from a sketch: the smallest hashes of their runs of
four tokens.
"""

from __future__ import annotations

import ast
import hashlib
import zlib
from collections.abc import Collection, Iterator
from typing import Any, Final

_RUN: Final = 4
_SKETCH: Final = 128
_LONGEST: Final = 80
TELLING: Final = 24
"""Tokens. A shorter body (`class Gone(Exception): pass`) looks like many another: that it is the same says nothing."""


def tokens_of(root: ast.AST, own: str) -> Iterator[str]:
    """The nodes below `root` in source order, as text: kinds, names and constants."""
    waiting: list[Any] = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            yield "·" if node == own else node
            continue
        yield node.__class__.__name__
        if isinstance(node, ast.Constant):
            yield _short(repr(node.value))
            continue
        below: list[Any] = []
        for field in node._fields:
            value: Any = getattr(node, field, None)
            if field == "body" and has_docstring(node):
                value = value[1:]
            if isinstance(value, list):
                below += [item for item in value if isinstance(item, (ast.AST, str))]
            elif isinstance(value, ast.AST):
                if not isinstance(value, (ast.Load, ast.Store, ast.Del)):
                    below.append(value)
            elif isinstance(value, str):
                below.append(value)
        waiting += reversed(below)


def _short(text: str) -> str:
    """A constant as a token: a long one as its beginning and a checksum of the whole."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}…{zlib.crc32(text.encode('utf-8', 'surrogatepass')):08x}"


def has_docstring(node: Any) -> bool:
    """Whether a definition begins with a docstring."""
    if not isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) or not node.body:
        return False
    first = node.body[0]
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


def summary(tokens: list[str]) -> tuple[str, int, tuple[int, ...]]:
    """Digest, length and sketch of a stream of tokens."""
    joined = "\0".join(tokens).encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(joined).hexdigest()[:16]
    hashes = [zlib.crc32(token.encode("utf-8", "surrogatepass")) for token in tokens]
    runs = {hash(tuple(hashes[at : at + _RUN])) & 0xFFFFFFFF for at in range(max(len(hashes) - _RUN + 1, 1))}
    return digest, len(tokens), tuple(sorted(runs)[:_SKETCH])


def resemblance(one: Collection[int], other: Collection[int]) -> float:
    """How much of two bodies is the same, by their sketches: from 0.0 to 1.0."""
    smallest = sorted({*one, *other})[:_SKETCH]
    if not smallest:
        return 0.0
    shared = set(one).intersection(other)
    return sum(value in shared for value in smallest) / len(smallest)
