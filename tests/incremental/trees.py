"""Many small trees in one bare repository, and the two ways to tell what is new between two of them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from guard.cache import Cache
from guard.config import Config, load, resolve_selection
from guard.engine import Options, check, kept_key, needed_families, result_key
from guard.environment import NONE, Environments
from guard.facts import Gathering
from guard.incremental import kept as keeping
from guard.incremental import maps as in_maps
from guard.incremental.earlier import known_of
from guard.incremental.maps import Lookups
from guard.incremental.quick import Outcome, new_since
from guard.model import Gate, Report
from guard.registry import all_rules
from guard.since import moved_files, narrowed
from guard.sources.commit import CommitTree
from guard.sources.git import Git, discover
from guard.target import target_python

Files = Mapping[str, bytes]


class Pair(NamedTuple):
    """Two trees, and what is asked of the difference."""

    name: str
    before: Files
    now: Files
    config: str = ""


def commits(folder: Path, trees: Iterable[Files]) -> tuple[Git, list[str]]:
    """A bare repository with a commit of each tree; gives the ids of the commits, in order."""
    subprocess.run(["git", "init", "--quiet", "--bare", str(folder)], check=True)
    stream = [b"feature done\n"]
    number = 0
    for number, files in enumerate(trees, 1):
        stream.append(b"commit refs/heads/c%d\nmark :%d\ncommitter a <a@b.c> 0 +0000\ndata 1\na\n" % (number, number))
        for path, content in files.items():
            quoted = path.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
            stream.append(b'M 100644 inline "%s"\ndata %d\n%s\n' % (quoted, len(content), content))
    stream.append(b"done\n")
    subprocess.run(["git", "fast-import", "--quiet"], cwd=folder, input=b"".join(stream), check=True)
    git = discover(str(folder))
    assert git is not None
    printed = git.run("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads").decode().split()
    by_name = dict(zip(printed[::2], printed[1::2], strict=True))
    return git, [by_name[f"c{one}"] for one in range(1, number + 1)]


class Compared(NamedTuple):
    """What both ways give."""

    outcome: Outcome
    whole: Report
    half: Report | None
    """What judging the later tree whole gives with what is kept of the earlier one; None where that does not serve."""
    kept: tuple[keeping.Kept, Lookups] | None
    """What the quick way has left of the later tree."""
    kept_by_whole: tuple[keeping.Kept, Lookups] | None
    """What judging that tree whole leaves."""


def configuration(tree: CommitTree, codes: frozenset[str] | None = None) -> tuple[Config, frozenset[str]]:
    """The configuration of a tree at the gate before a commit, and the rules that are on there."""
    rules = all_rules()
    config = msgspec.structs.replace(load(tree, rules=rules), gate=Gate.PRE_COMMIT, environment=NONE)
    return config, codes or resolve_selection(config, [], [], Gate.PRE_COMMIT, rules)


def compare(git: Git, before: str, now: str, cache: Cache, codes: frozenset[str] | None = None) -> Compared:
    """Tell in both ways what is new in one commit since another one."""
    base, tree = CommitTree(git, before), CommitTree(git, now)
    config, codes = configuration(tree, codes)
    options = Options(jobs=1, cache=cache, keep=keeping.keep)
    known, whole = (check(one, config, codes, options) for one in (base, tree))
    key = _key(tree, config, codes, cache)
    slowly = cache.get(key)
    outcome = new_since(tree, base, "HEAD", config, config, codes, options)
    quickly = cache.get(key)
    if slowly is not None:
        cache.put_many([(key, slowly)])
    moved = moved_files(base, tree)
    briefly = known_of(base, config, codes, options)
    return Compared(
        outcome,
        narrowed(whole, known, base, tree, "HEAD", lambda path: True, moved),
        narrowed(whole, briefly, base, tree, "HEAD", lambda path: True, moved) if briefly is not None else None,
        _read(cache, key, _key(base, config, codes, cache), quickly) if outcome.report is not None else None,
        _read(cache, key, key, slowly),
    )


def _read(cache: Cache, key: str, base: str, value: bytes | None) -> tuple[keeping.Kept, Lookups] | None:
    """What is kept of a tree under a key; `base` is that of the tree whose maps serve where it does not say."""
    if value is None:
        return None
    kept = keeping.decode(value)
    assert kept.maps in ("", base + keeping.BESIDE)
    maps = cache.get(kept.maps or key + keeping.BESIDE)
    assert maps is not None
    return kept, Lookups(lambda: in_maps.decode(maps), kept.added)


def _key(tree: CommitTree, config: Config, codes: frozenset[str], cache: Cache) -> str:
    target = target_python(tree, config)
    gathering = Gathering(target.version, config.python_limit, needed_families(codes))
    environments = Environments(tree, config, target.version, cache, gathering.salt)
    return kept_key(result_key(tree, config, codes, gathering, target, environments, with_kind=False))


def differences(compared: Compared) -> list[str]:
    """In what the quick answer is not that of judging both trees whole; nothing where there is none."""
    quick, whole = compared.outcome.report, compared.whole
    if compared.half not in (None, whole):
        return [f"by what is kept: {compared.half!r} in place of {whole!r}"]
    if quick is None:
        return []
    found = [
        f"{name}: {getattr(quick, name)!r} in place of {getattr(whole, name)!r}"
        for name in ("findings", "since", "files_found", "files_analysed", "suppressed", "baselined", "broken")
        if getattr(quick, name) != getattr(whole, name)
    ]
    if sorted(quick.problems) != sorted(whole.problems):
        found.append(f"problems: {quick.problems} in place of {whole.problems}")
    if compared.kept is None or compared.kept_by_whole is None:
        return [*found, "nothing is kept"]
    (one, its_maps), (other, other_maps) = compared.kept, compared.kept_by_whole
    for path in one.known.findings.keys() | other.known.findings.keys():
        keys = [sorted(kept.known.findings.get(path, ())) for kept in (one, other)]
        if keys[0] != keys[1]:
            found.append(f"kept of {path}: {keys[0]} in place of {keys[1]}")
    of_known = ("shown", "found", "analysed", "broken")
    of_kept = ("whole", "anybody", "started", "executed", "in_circles", "into_circles", "second_pydantic")
    values = [(name, getattr(one.known, name), getattr(other.known, name)) for name in of_known]
    values += [(name, getattr(one, name), getattr(other, name)) for name in of_kept]
    found += [f"kept {name}: {has} in place of {wants}" for name, has, wants in values if has != wants]
    for name in ("importers", "strings", "children", "received", "silencing"):
        has, wants = its_maps.files(name), other_maps.files(name)
        lacking = {key: set(files) - set(has.get(key, ())) for key, files in wants.items()}
        found += [f"kept {name}: lacks {files} of {key}" for key, files in lacking.items() if files]
    return found
