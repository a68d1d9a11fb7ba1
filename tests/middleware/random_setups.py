"""Set-up code that nobody wrote: programs made of the statements that set-up code is made of, by a seed."""

from __future__ import annotations

import random

HEAD = """\
import os

from fastapi import FastAPI
from layers import A, B, C, D, Pure, install_b
from starlette.middleware import Middleware

"""
LAYERS = ("A", "B", "C", "D", "Pure")
FLAGS = ("F1", "F2")
DEEPEST = 3


class Writer:
    """Writes one program."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._helpers: list[str] = []
        self._named = 0

    def program(self) -> str:
        """The program; its application is `app`."""
        lines: list[str] = []
        for _ in range(self._random.randint(0, 3)):
            lines += self._helper()
        lines += self._application()
        if self._random.random() < 0.2:
            lines.append("app = Pure(app)")
        return HEAD + "\n".join(lines) + "\n"

    def _layer(self) -> str:
        return self._random.choice(LAYERS)

    def _flag(self) -> str:
        return f'os.environ.get("{self._random.choice(FLAGS)}")'

    def _name(self, kind: str) -> str:
        self._named += 1
        return f"{kind}{self._named}"

    def _helper(self) -> list[str]:
        name, style = self._name("step"), self._random.randrange(3)
        if style == 0:
            lines = [f"def {name}(app):", *self._block("app", 1, 1)]
            if self._random.random() < 0.3:
                lines += [f"    if {self._flag()}:", "        return", "    app.add_middleware(A)"]
        elif style == 1:
            first = f"    target.add_middleware({self._layer()})"
            lines = [f"def {name}(target, first={self._layer()}):", "    target.add_middleware(first)", first]
            lines += self._block("target", 1, 1)
        else:
            box = self._name("Box")
            lines = [f"class {box}:", "    def __init__(self, app):", "        self.app = app", "    def run(self):"]
            lines += [*self._block("self.app", 2, 1), f"def {name}(app):", f"    {box}(app).run()"]
        self._helpers.append(name)
        return lines

    def _application(self) -> list[str]:
        style = self._random.randrange(4)
        entries = f"[Middleware({self._layer()}), Middleware({self._layer()})]"
        if style == 0:
            return ["app = FastAPI()", *self._block("app", 0, 0)]
        if style == 1:
            made = [f"    app = FastAPI(middleware={entries})", *self._block("app", 1, 0), "    return app"]
            return ["def make():", *made, "app = make()", *self._block("app", 0, 1)]
        if style == 2:
            more = [f"if {self._flag()}:", f"    stack.append(Middleware({self._layer()}))"]
            return [f"stack = {entries}", *more, "app = FastAPI(middleware=stack)", *self._block("app", 0, 0)]
        inner = ["inner = FastAPI()", *self._block("inner", 0, 1)]
        return [*inner, "app = FastAPI()", *self._block("app", 0, 1), 'app.mount("/inner", inner)']

    def _block(self, app: str, indent: int, depth: int) -> list[str]:
        return [line for _ in range(self._random.randint(1, 3)) for line in self._statement(app, indent, depth)]

    def _statement(self, app: str, indent: int, depth: int) -> list[str]:
        pad, style = "    " * indent, self._random.randrange(12)
        add = f"{app}.add_middleware"
        if depth < DEEPEST and style == 0:
            lines = [f"{pad}if {self._flag()}:", *self._block(app, indent + 1, depth + 1)]
            if self._random.random() < 0.5:
                lines += [f"{pad}else:", *self._block(app, indent + 1, depth + 1)]
            return lines
        if depth < DEEPEST and style == 1:
            tried = [f"{pad}try:", *self._block(app, indent + 1, depth + 1)]
            return [*tried, f"{pad}except ValueError:", f"{pad}    raise"]
        if depth < DEEPEST and style == 2:
            return [f"{pad}with open(__file__):", *self._block(app, indent + 1, depth + 1)]
        if style == 3:
            name = self._name("function")
            head = [f'{pad}@{app}.middleware("http")', f"{pad}async def {name}(request, call_next):"]
            return [*head, f"{pad}    return await call_next(request)"]
        if style == 4:
            return [f"{pad}for layer in [{self._layer()}, {self._layer()}]:", f"{pad}    {add}(layer)"]
        if style == 5 and self._helpers:
            return [f"{pad}{self._random.choice(self._helpers)}({app})"]
        if style == 6:
            return [f"{pad}install_b({app})"]
        if style == 7:
            name = self._name("chosen")
            return [f"{pad}{name} = {self._layer()} if {self._flag()} else {self._layer()}", f"{pad}{add}({name})"]
        if style == 8:
            return [f"{pad}[{add}(each) for each in ({self._layer()}, {self._layer()})]"]
        if style == 9:
            return [f"{pad}{self._flag()} and {add}({self._layer()})"]
        return [f"{pad}{add}({self._layer()})"]
