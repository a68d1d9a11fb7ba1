"""What a Docker build is sent: `guard check --gate pre-build`, and `--context`, which checks that alone."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from guard.dockerignore import Ignore
from guard.sources.context import Context, ContextTree, find_context
from guard.sources.directory import DirectoryTree
from guard.sources.locate import open_tree
from tests.engine.support import Run, git, inside, repository, write

ROOT = Path(__file__).parents[2]
FILES = {
    ".gitattributes": b"* text=auto eol=lf\n",
    ".gitignore": b"app/made.py\n.venv/\n",
    ".dockerignore": b"app/models\n*.md\n.gitattributes\n",
    "Dockerfile": b'FROM python:3.12-slim\nWORKDIR /srv\nCOPY app ./app\nCMD ["uvicorn", "app.main:app"]\n',
    "app/__init__.py": b"",
    "app/main.py": b"from app.made import number\nfrom app.models.user import User\n\napp = User, number\n",
    "app/models/__init__.py": b"",
    "app/models/user.py": b"class User: ...\n",
    "scripts/tool.py": b"from app.models import user\n\nprint(user)\n",
    "tests/test_main.py": b"from app.models.user import User, gone\n\nprint(User, gone)\n",
}
BESIDE = {"app/made.py": b"number = 1\n", ".venv/lib/bad.py": b"def f(:\n", ".venv/pyvenv.cfg": b"home = /usr\n"}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with what git ignores on disk."""
    return write(repository(tmp_path / "repo", FILES), BESIDE)


def found(run: Run) -> list[str]:
    return [f"{one['code']} {one['path']}:{one['line']}" for one in json.loads(run.out)["findings"]]


def test_before_a_build_the_contexts_are_looked_at_too(repo: Path) -> None:
    run = inside(
        "check", "--gate", "pre-build", "--select", "IMP,IMG", "--ignore", "IMP008", "--output", "json", cwd=repo
    )
    assert found(run) == ["IMG001 app/main.py:2", "IMP002 tests/test_main.py:1"]
    report = json.loads(run.out)
    assert report["tree"]["kind"] == "worktree"
    finding = report["findings"][0]
    assert finding["impact"] == "startup"
    assert finding["message"] == (
        "app.models.user is not in the image of Dockerfile: .dockerignore:1 leaves out app/models/user.py"
    )
    assert finding["data"] == {
        "module": "app.models.user",
        "file": "app/models/user.py",
        "images": ["Dockerfile"],
        "pattern": "app/models",
        "ignore_file": ".dockerignore",
    }
    assert [(one["path"], one["line"]) for one in finding["related"]] == [(".dockerignore", 1), ("Dockerfile", 4)]
    # What it says depends on the ignore file, which is none of the files that are parsed.
    (repo / ".dockerignore").write_bytes(b"app/models/*.md\n")
    run = inside("check", "--gate", "pre-build", "--select", "IMG", "--output", "json", cwd=repo)
    assert (found(run), run.code) == ([], 0)


def test_a_comment_leaves_it_out_and_is_not_called_unused_elsewhere(repo: Path) -> None:
    text = b"from app.models.user import User  # guard: ignore[IMG001] mounted in production\n\napp = User\n"
    (repo / "app/main.py").write_bytes(text)
    (repo / "tests/test_main.py").unlink()
    for gate in ("pre-build", "image", "ci"):
        run = inside("check", "--gate", gate, "--select", "IMP,IMG,SUP", "--output", "json", cwd=repo)
        assert found(run) == [], gate


def test_an_ignore_file_that_git_ignores_is_seen_to_come_and_go(repo: Path) -> None:
    (repo / ".gitignore").write_bytes(b"app/made.py\nDockerfile.dockerignore\n")

    def lacking() -> list[str]:
        return found(inside("check", "--gate", "pre-build", "--select", "IMG", "--output", "json", cwd=repo))

    assert lacking() == ["IMG001 app/main.py:2"]
    (repo / "Dockerfile.dockerignore").write_bytes(b"*.md\n")
    assert lacking() == []  # it is another one on every machine
    (repo / "Dockerfile.dockerignore").unlink()
    assert lacking() == ["IMG001 app/main.py:2"]


def test_several_images_lack_one_import_in_one_finding(repo: Path) -> None:
    for name in ("Dockerfile.worker", "Dockerfile.web"):
        (repo / name).write_bytes(FILES["Dockerfile"])
    run = inside("check", "--gate", "pre-build", "--select", "IMG", "--output", "json", cwd=repo)
    assert found(run) == ["IMG001 app/main.py:2"]
    assert json.loads(run.out)["findings"][0]["message"].startswith(
        "app.models.user is not in the image of Dockerfile, and of 2 more: "
    )


def test_the_context_alone(repo: Path) -> None:
    run = inside("check", "--context", ".", "--select", "IMP,SYN", "--ignore", "IMP008", "--output", "json", cwd=repo)
    report = json.loads(run.out)
    jsonschema.validate(report, json.loads((ROOT / "guard/schemas/report.schema.json").read_bytes()))
    assert report["tree"] == {"kind": "context", "label": "repo"}
    # What git ignores is imported, and not judged: neither the module that was made, nor the environment.
    assert found(run) == ["IMP001 app/main.py:2", "IMP001 tests/test_main.py:1", "IMP001 scripts/tool.py:1"]
    assert report["files"]["found"] == 7
    staged = inside("check", "--context", ".", "--staged", "--select", "IMP", "--output", "json", cwd=repo)
    assert json.loads(staged.out)["tree"]["kind"] == "context"
    assert json.loads(staged.out)["files"]["found"] == 7


def test_the_context_of_a_folder_and_a_revision(repo: Path) -> None:
    (repo / "Dockerfile.dockerignore").write_bytes(b"**\n!app\n!.venv\n")
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "--message", "another ignore file")
    for more in ([], ["--rev", "HEAD"]):
        arguments = ("--context", ".", "--dockerfile", "Dockerfile", "--select", "IMP", "--ignore", "IMP001")
        run = inside("check", *arguments, *more, "--output", "json", cwd=repo)
        assert found(run) == (["IMP008 app/main.py:1"] if not more else [])
        assert json.loads(run.out)["files"]["found"] == 6  # the Dockerfile and its ignore file are always there
    run = inside("check", "--context", "app", "--select", "IMP", "--ignore", "IMP008", "--output", "json", cwd=repo)
    assert json.loads(run.out)["tree"] == {"kind": "context", "label": "app"}
    assert json.loads(run.out)["files"]["found"] == 4


def test_old_findings_stay_known(repo: Path) -> None:
    inside("baseline", "write", cwd=repo)
    assert (repo / "guard-baseline.jsonl").exists()
    run = inside(
        "check",
        "--context",
        ".",
        "--baseline",
        "guard-baseline.jsonl",
        "--select",
        "IMP,SUP",
        "--output",
        "json",
        cwd=repo,
    )
    assert "IMP008 app/main.py:1" not in found(run)
    assert not any(one.startswith("SUP") for one in found(run))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--context", ".", "app"], 2, "does not go with paths"),
        (["--context", ".", "--fix"], 2, "--context does not go with"),
        (["--context", ".", "--gate", "pre-commit"], 2, "--context does not go with"),
        (["--dockerfile", "Dockerfile"], 2, "--dockerfile goes with --context"),
        (["--context", "gone"], 2, "no such path: gone"),
        (["--context", ".", "--dockerfile", "gone"], 2, "no such file in the worktree: gone"),
    ],
)
def test_mistakes(repo: Path, arguments: list[str], code: int, said: str) -> None:
    run = inside("check", *arguments, cwd=repo)
    assert run.code == code
    assert said in run.err


def test_an_ignore_file_that_nobody_can_read_is_said(repo: Path) -> None:
    (repo / ".dockerignore").write_bytes(b"[\n")
    run = inside("check", "--context", ".", cwd=repo)
    assert (run.code, "nobody can tell what its .dockerignore leaves out" in run.err) == (3, True)
    assert inside("check", "--gate", "pre-build", "--select", "IMG", cwd=repo).code == 0


# The tree


def test_links_and_odd_names_are_as_in_the_tree_below(tmp_path: Path) -> None:
    write(
        tmp_path / "c", {"a.py": b"", "x/b.py": b"", "x/c.py": b"", "n\xff.py".encode("latin-1").decode("latin-1"): b""}
    )
    (tmp_path / "c/link.py").symlink_to("../outside.py")
    (tmp_path / "c/gone.py").symlink_to("a.py")
    base = DirectoryTree(str(tmp_path / "c"))
    assert [problem.kind for problem in base.problems] == ["outside-tree"]
    context = Context("", "", Ignore(()))
    assert dict(ContextTree(base, context).files) == dict(base.files)
    (tmp_path / "c/.dockerignore").write_bytes(b"link.py\nx/*\n!x/c.py\n")
    base = DirectoryTree(str(tmp_path / "c"))
    found = find_context(base, "")
    assert found is not None
    tree = ContextTree(base, found)
    assert set(base.files) - set(tree.files) == {"link.py", "x/b.py"}
    assert tree.problems == ()
    with tree.reader() as reader:
        assert reader.read(tree.files["a.py"]) == b""


def test_an_ignore_file_that_git_ignores_is_not_known(tmp_path: Path) -> None:
    repo = write(
        repository(tmp_path / "repo", {".gitignore": b".dockerignore\n", "a.py": b""}), {".dockerignore": b"a.py\n"}
    )
    tree, _ = open_tree((str(repo),))
    assert find_context(tree, "") is None
