"""What is known of a tree that was judged before, and that another one is compared with."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from guard import __version__
from guard.config import Config
from guard.engine import MISSING_OBJECT, Options, kept_key, needed_families, result_key
from guard.environment import Environments
from guard.facts import Gathering
from guard.incremental import kept as keeping
from guard.incremental.baselines import Baseline
from guard.incremental.changes import NotCertain
from guard.incremental.on_demand import NotKnown, facts_of_tree
from guard.model import WHOLE_FILE, Broken, Finding, Impact, Report, Severity
from guard.sources.commit import CommitTree
from guard.target import target_python


def known_of(base: CommitTree, config: Config, codes: frozenset[str], options: Options) -> Report | None:
    """The report on a tree as far as another one is compared with it: of its findings no more than code, path and
    fingerprint. None where not even that is kept."""
    if options.cache is None:
        return None
    target = target_python(base, config)
    gathering = Gathering(target.version, config.python_limit, needed_families(codes))
    environments = Environments(base, config, target.version, options.cache, gathering.salt)
    depends = (codes, gathering, target, environments)
    value = options.cache.get(kept_key(result_key(base, config, *depends, with_kind=False)))
    try:
        known = keeping.decode(value).known if value is not None else None
    except msgspec.DecodeError:
        return None
    if known is None or not environments.see_the_same(known.looks):
        return None
    if base.has_any([problem.path for problem in known.problems if problem.kind == MISSING_OBJECT]):
        return None
    findings: Iterator[Finding] = (_stub(path, *key) for path, keys in known.findings.items() for key in keys)
    if config.baseline:
        facts = facts_of_tree(base, config, gathering, options.cache)
        try:
            left = Baseline(base, config, codes).left(known.findings, base, facts, known.problems)
        except (NotCertain, NotKnown, msgspec.DecodeError):
            return None
        findings = (_stub(key.path, key.code, key.fingerprint) for key in left.shown)
    return Report(
        guard=__version__,
        tree_kind=base.kind,
        tree_label=base.label,
        files_found=known.found,
        files_analysed=known.analysed,
        findings=tuple(findings),
        problems=known.problems,
        suppressed=known.suppressed,
        broken=Broken(modules=tuple(sorted(known.broken))),
        kept=known.applications,
    )


def _stub(path: str, code: str, fingerprint: str) -> Finding:
    return Finding(
        code=code,
        slug="",
        severity=Severity.ERROR,
        impact=Impact.RUNTIME,
        path=path,
        span=WHOLE_FILE,
        message="",
        symbol="",
        fingerprint=fingerprint,
    )
