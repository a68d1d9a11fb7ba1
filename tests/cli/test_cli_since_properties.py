"""Whatever is moved, renamed and edited around it, an old finding is no new one; and one new import is one finding."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.support import git, inside, repository

NAMES = ("alpha", "beta", "gamma", "delta")
FILES = {
    ".gitattributes": b"*.py text eol=lf\n",
    "app/__init__.py": b"VERSION = 1\n",
    "app/sub/__init__.py": b"DEPTH = 2\n",
    **{
        f"app/{name}.py": b"".join(
            (
                b"import os\n",
                b"from app import lost_%d\n" % number,
                b"from app.gone_%d import thing\n" % number,
                b"\n\ndef work(path):\n    from app.sub import nothing\n    return os.path.join(path, nothing)\n",
                b"".join(b"\n\ndef step_%d(value):\n    return value + %d\n" % (step, step) for step in range(12)),
            )
        )
        for number, name in enumerate(NAMES)
    },
}

ABOVE = st.lists(st.sampled_from((b"# a comment\n", b"\n", b"import json\n", b'TEXT = """\nline\n"""\n')), max_size=6)
BELOW = st.lists(st.sampled_from((b"# the end\n", b"\n", b"LAST = 1\n", b"\n\ndef more(): ...\n")), max_size=6)
PLACES = st.sampled_from(("app/{}.py", "app/sub/{}.py", "app/{}_moved.py", "app/sub/new_{}.py"))
EDITS = st.fixed_dictionaries({name: st.tuples(ABOVE, BELOW, PLACES) for name in NAMES})


@settings(max_examples=25, deadline=None)
@given(edits=EDITS, where=st.sampled_from((("--since", "HEAD"), ("--gate", "pre-commit"))), adds=st.booleans())
def test_edits_moves_and_renames(
    edits: dict[str, tuple[list[bytes], list[bytes], str]], where: tuple[str, ...], adds: bool
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="guard-test-"))
    try:
        repo = repository(folder / "repo", FILES)
        for name, (above, below, place) in edits.items():
            old, new = repo / f"app/{name}.py", repo / place.format(name)
            content = b"".join(above) + old.read_bytes() + b"".join(below)
            old.unlink()
            new.write_bytes(content)
        if adds:
            with (repo / "app/sub/__init__.py").open("ab") as file:
                file.write(b"from app import brand_new\n")
        git(repo, "add", "--all")
        run = inside("check", "--select", "IMP", "--output", "json", *where, cwd=repo)
        found = json.loads(run.out)["findings"]
        assert [(one["path"], one["code"]) for one in found] == [("app/sub/__init__.py", "IMP002")] * adds, found
    finally:
        shutil.rmtree(folder)
