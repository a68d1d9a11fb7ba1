"""`--fix` and `--diff`: what is mended, what stays as it was, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from guard import files, fixing
from guard.model import EnvironmentFailed
from guard.sources.directory import DirectoryTree
from tests.engine.support import git, inside, outside, repository, without_privilege, write

MARK = b"\xef\xbb\xbf"
MENDED = {"EOL001", "EOL002", "EOL003", "EOL006", "TXT002", "SYN002", "SUP001"}
FILES = {
    ".gitattributes": b"# ours\n*.bat text eol=crlf\n*.png binary\n",
    "run.bat": b"echo a\r\necho b\r\n",
    "logo.png": b"\x89PNG\r\n\x1a\n\0\r\n",
    "app/__init__.py": b"",
    "app/all.py": MARK + b'"""All at once."""\r\nimport os\r\nfrom __future__ import annotations\r\n'
    b"x = os.sep  # guard: ignore[IMP002] not needed\r\n",
    "app/late.py": b"import os\nfrom __future__ import annotations\nx = os.sep  # guard: ignore[IMP001] gone\ny = 1",
    "app/marked.py": MARK + b"x = 1  # guard: ignore[IMP001] gone\n",
    "app/clean.py": b"x = 1\n",
    "bin/start": b"#!/bin/sh\r\nexec true\r\n",
    "with blank.py": b"x = 1\r\n",
    "caf\u00e9.py": b"x = 1\r\n",
}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = repository(tmp_path / "repo", FILES)
    (folder / "bin/start").chmod(0o755)
    (folder / "app/late.py").chmod(0o640)
    return folder


def codes(folder: Path) -> set[str]:
    document = json.loads(inside("check", "--output", "json", cwd=folder).out)
    assert document["problems"] == []
    return {finding["code"] for finding in document["findings"]}


def state(folder: Path) -> dict[str, tuple[bytes, int, int, int]]:
    """Content, mode, time and inode of every file."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and ".git/" not in str(path):
            status = path.lstat()
            found[path.relative_to(folder).as_posix()] = (
                path.read_bytes(),
                status.st_mode & 0o7777,
                status.st_mtime_ns,
                status.st_ino,
            )
    return found


def test_a_fixed_tree_checks_clean_and_is_not_fixed_again(repo: Path) -> None:
    assert codes(repo) >= MENDED - {"EOL003"}
    before = state(repo)
    run = inside("check", "--fix", cwd=repo)
    assert run.err.startswith("guard: mended ")
    assert run.code == 0, run.out
    git(repo, "add", "-A")
    assert codes(repo) == set()
    after = state(repo)
    assert {path for path in before if before[path] == after[path]} == {
        "run.bat",
        "logo.png",
        "app/__init__.py",
        "app/clean.py",
    }
    assert {path: entry[1] for path, entry in before.items()} == {path: after[path][1] for path in before}
    assert after["app/all.py"][0] == (
        b'"""All at once."""\n\nfrom __future__ import annotations\n\nimport os\nx = os.sep\n'
    )
    assert after["app/late.py"][0].endswith(b"x = os.sep\ny = 1")
    again = inside("check", "--fix", cwd=repo)
    assert (again.code, again.err) == (0, "")
    assert state(repo) == after


def test_diff_writes_nothing_and_git_applies_it(repo: Path, tmp_path: Path) -> None:
    before = state(repo)
    run = outside("check", "--diff", cwd=repo)
    assert state(repo) == before
    patched, fixed = tmp_path / "patched", tmp_path / "fixed"
    for folder in (patched, fixed):
        git(tmp_path, "clone", "--quiet", "--config", "core.autocrlf=false", str(repo), str(folder))
    patch = subprocess.run(
        ["git", "apply", "--whitespace=nowarn", "-"], cwd=patched, input=diff_of(repo), capture_output=True, check=False
    )
    assert patch.stderr.decode() == ""
    inside("check", "--fix", cwd=fixed)
    contents = [{path: entry[0] for path, entry in state(folder).items()} for folder in (patched, fixed)]
    assert contents[0] == contents[1]
    assert contents[0] != {path: entry[0] for path, entry in before.items()}
    assert "\n--- a/app/late.py\n+++ b/app/late.py\n" in run.out
    assert "\\ No newline at end of file\n" in run.out


def diff_of(repo: Path) -> bytes:
    tree = DirectoryTree(str(repo))
    changes: dict[str, bytes] = {}

    def keep(_tree: object, made: dict[str, bytes]) -> str:
        changes.update(made)
        return real(tree, made)

    real = fixing.diff
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fixing, "diff", keep)
        inside("check", "--diff", cwd=repo)
    return real(tree, changes).encode("utf-8", "surrogateescape")


def test_new_files_and_bytes_that_are_not_text(tmp_path: Path) -> None:
    folder = repository(
        tmp_path / "repo", {'"q".py': b"x = 1\r\n", "a.py": b"# caf\xe9\r\nx = 1\r\n", "Dockerfile": b"FROM scratch\n"}
    )
    patch = diff_of(folder)
    assert b"\n--- /dev/null\n+++ b/.gitattributes\n" in b"\n" + patch
    assert b"-# caf\xe9\r\n-x = 1\r\n+# caf\xe9\n+x = 1\n" in patch
    subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], cwd=folder, input=patch, check=True)
    assert (folder / '"q".py').read_bytes() == b"x = 1\n"
    assert (folder / "a.py").read_bytes() == b"# caf\xe9\nx = 1\n"
    assert b"*.py text eol=lf" in (folder / ".gitattributes").read_bytes()


def test_links_are_not_written_through(tmp_path: Path) -> None:
    target = tmp_path / "outside.py"
    target.write_bytes(b"x = 1\r\n")
    beyond = write(tmp_path / "beyond", {"b.py": b"x = 1\r\n"})
    folder = repository(tmp_path / "repo", {"real.py": b"x = 1\r\n", ".gitattributes": b"*.py text eol=lf\n"})
    (folder / "link.py").symlink_to(target)
    (folder / "inner.py").symlink_to("real.py")
    (folder / "far").symlink_to(beyond)
    inside("check", "--fix", cwd=folder)
    assert target.read_bytes() == b"x = 1\r\n"
    assert (beyond / "b.py").read_bytes() == b"x = 1\r\n"
    assert (folder / "link.py").is_symlink()
    assert (folder / "inner.py").is_symlink()
    assert (folder / "real.py").read_bytes() == b"x = 1\n"


def _changed(folder: Path) -> None:
    (folder / "b.py").write_bytes(b"other = 1\n")


def _gone(folder: Path) -> None:
    (folder / "b.py").unlink()


def _link(folder: Path) -> None:
    (folder / "b.py").unlink()
    (folder / "b.py").symlink_to("a.py")


def _folder_is_link(folder: Path) -> None:
    write(folder.parent / "elsewhere", {"c.py": b"old\n"})
    (folder / "sub" / "c.py").unlink()
    (folder / "sub").rmdir()
    (folder / "sub").symlink_to("../elsewhere")


def _there_already(folder: Path) -> None:
    (folder / "new.txt").write_bytes(b"theirs\n")


@pytest.mark.parametrize("meanwhile", [_changed, _gone, _link, _folder_is_link, _there_already])
def test_what_changed_since_the_check_is_refused(tmp_path: Path, meanwhile: object) -> None:
    folder = write(tmp_path / "tree", {"a.py": b"old\n", "b.py": b"old\n", "sub/c.py": b"old\n"})
    tree = DirectoryTree(str(folder))
    assert callable(meanwhile)
    meanwhile(folder)
    with pytest.raises(EnvironmentFailed, match=r"^\S+: it changed while guard was looking at it; nothing was written"):
        fixing.write(tree, dict.fromkeys(("a.py", "b.py", "sub/c.py", "new.txt"), b"new\n"))
    assert (folder / "a.py").read_bytes() == b"old\n"
    assert not (tmp_path / "elsewhere" / "c.py").exists() or (tmp_path / "elsewhere" / "c.py").read_bytes() == b"old\n"


def test_a_write_that_fails_leaves_the_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "tree", {"a.py": b"old\n"})
    tree = DirectoryTree(str(folder))

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files.Path, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            fixing.write(tree, {"a.py": b"new\n"})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"a.py": b"old\n"}


def test_a_process_that_is_killed_never_leaves_half_a_file(tmp_path: Path) -> None:
    folder = write(tmp_path / "tree", {"a.py": b"old\n"})
    code = (
        "import os, signal, sys\nfrom guard import files\nfrom pathlib import Path\n"
        "real = os.fdopen\n"
        "class Half:\n"
        "    def __init__(self, handle, mode): self.file = real(handle, mode)\n"
        "    def __enter__(self): return self\n"
        "    def __exit__(self, *_): ...\n"
        "    def write(self, content):\n"
        "        self.file.write(content[: len(content) // 2]); self.file.flush()\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "os.fdopen = Half\n"
        "files.replace_file(Path(sys.argv[1]), b'new' * 1000, 0o644)\n"
    )
    root = str(Path(files.__file__).parents[1])
    done = subprocess.run(
        [os.sys.executable, "-c", code, str(folder / "a.py")], env={**os.environ, "PYTHONPATH": root}, check=False
    )
    assert done.returncode == -9
    assert (folder / "a.py").read_bytes() == b"old\n"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    folder = write(tmp_path / "tree", {"sub/run.sh": b"#!/bin/sh\r\n"})
    (folder / "sub").chmod(0o500)
    run = outside("check", "--fix", cwd=folder, preexec_fn=without_privilege)
    assert (run.code, run.out) == (4, "")
    assert run.err == "guard: sub/run.sh: cannot be written: Permission denied\n"
    assert (folder / "sub/run.sh").read_bytes() == b"#!/bin/sh\r\n"


BREAKING = {
    "brings in a finding": lambda content, _: content.replace(b"\xef\xbb\xbf", b"") + b"import app.gone\n",
    "breaks the syntax": lambda content, _: content.replace(b"\xef\xbb\xbf", b"") + b"def f(:\n",
    "brings in a problem": lambda content, _: content.replace(b"\xef\xbb\xbf", b"") + b"#" * 5_000_000 + b"\n",
    "mends nothing": lambda content, _: content + b"# a comment\n",
}


REASONS = {
    "brings in a finding": "it would bring in IMP001 at app/a.py:3",
    "breaks the syntax": "it would bring in SYN001 at app/a.py:3",
    "brings in a problem": "it would bring in a problem with app/a.py: 5,000,043 bytes, more than the limit of ",
    "mends nothing": "the finding would stay",
}


@pytest.mark.parametrize("wrong", BREAKING)
def test_a_wrong_fix_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    files = {"app/__init__.py": b"", "app/a.py": MARK + b"import os\nfrom __future__ import division\n"}
    folder = write(tmp_path, files)
    broken = {**fixing.fixers(), "TXT002": BREAKING[wrong]}
    monkeypatch.setattr(fixing, "fixers", lambda: broken)
    run = inside("check", "--fix", "--jobs", "1", cwd=folder)
    assert f"guard: app/a.py:1: TXT002 is not mended: {REASONS[wrong]}" in run.err
    # The other fix of the same file is made.
    assert (folder / "app/a.py").read_bytes() == MARK + b"from __future__ import division\n\nimport os\n"


def test_only_the_paths_that_are_named_are_mended(repo: Path) -> None:
    before = state(repo)
    inside("check", "--fix", "app/all.py", "bin", cwd=repo)
    after = state(repo)
    assert {path for path in before if before[path] != after[path]} == {"app/all.py", "bin/start"}


def test_a_fix_is_offered_only_where_it_can_be_made(tmp_path: Path) -> None:
    files = {
        "alone.py": b"import os\nfrom __future__ import annotations\nx = os\n",
        "behind.py": b"import os; from __future__ import annotations\nx = os\n",
        "before.py": b"import os\nfrom __future__ import annotations; x = os\n",
        "block.py": b"import os\nif os:\n    from __future__ import annotations\n",
    }
    folder = write(tmp_path / "checked", files)
    run = inside("check", "--select", "SYN002", "--output", "json", cwd=folder)
    found = {one["path"]: one["fix"] for one in json.loads(run.out)["findings"]}
    assert set(found) == set(files)
    assert {path for path, fix in found.items() if fix} == {"alone.py"}
    assert inside("check", "--fix", "--select", "SYN002", cwd=folder).err == "guard: mended 1 finding in 1 file\n"
