"""From a tree to a report: gather facts, link them, judge, and say what could not be checked."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec

from guard import __version__, baseline
from guard.cache import Cache
from guard.census import NOTHING_COUNTED, Census, take_census, without_empty_files
from guard.checks import families
from guard.checks.application_views import APPLICATIONS, applications, packed
from guard.checks.suppressions import FAMILY as SUPPRESSIONS
from guard.checks.text_index import read_settings
from guard.config import Config, RuleNames, ignored_in, matcher
from guard.environment import Environments
from guard.extent import with_extents
from guard.facts import BATCH, FileFacts, Gathering, Wanted, gather_here, key_of
from guard.impact import reach_of
from guard.model import Broken, Finding, Gate, GuardError, Impact, Problem, Report
from guard.program import NotGathered, Program
from guard.registry import all_rules
from guard.rules.sup_baseline import stale
from guard.sources.tree import ContentTree, SourceFile, Tree
from guard.suppress import UNUSED, apply
from guard.target import TargetPython, target_python
from guard.verdicts import findings_of

Progress = Callable[[int, int], None]
"""Told how many of how many files are done."""


Keep = Callable[[Program, "Judged", Sequence[Finding]], Mapping[str, bytes]]
"""Given the program, what was found in it, and all of that before a baseline leaves some out."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to run, where that does not change what is found."""

    jobs: int = 0
    """Processes; 0 for one per core that this process may use."""
    cache: Cache | None = None
    progress: Progress | None = None
    problems: tuple[Problem, ...] = ()
    """What the caller already knows will not be checked; it goes on the report."""
    keep: Keep | None = None
    """Gives what to remember of a tree that was judged whole, by what comes behind its `kept_key`."""


class Judged(msgspec.Struct, frozen=True, array_like=True):
    """What a run found, before it is narrowed to the paths asked for. Remembered as a whole between runs."""

    findings: tuple[Finding, ...]
    problems: tuple[Problem, ...]
    suppressed: int
    baselined: int
    found: int
    analysed: int
    broken: Broken
    looks: dict[str, str] = {}
    """What was looked at in environments, with digests of what was seen."""
    beside: tuple[tuple[str, bool], ...] = ()
    """What the verdict depends on beside the tree's files: `Program.beside`."""
    census: Census | None = None
    """What there is to judge, where the run was asked to count it."""
    kept: dict[str, bytes] = {}
    """`Report.kept`."""


_FACTS: msgspec.msgpack.Decoder[FileFacts] = msgspec.msgpack.Decoder(FileFacts)
_JUDGED: msgspec.msgpack.Decoder[Judged] = msgspec.msgpack.Decoder(Judged)


def check(
    tree: Tree, config: Config, codes: frozenset[str], options: Options, within: Callable[[str], bool] | None = None
) -> Report:
    """Check `tree` with the rules `codes`; `within` narrows the report (never the analysis) to some paths.

    Raises EnvironmentFailed where ruff or git cannot be run.
    """
    started = time.perf_counter()
    return _report(tree, _judged(tree, config, codes, options, counting=False), options, within, started)


def survey(tree: Tree, config: Config, codes: frozenset[str], options: Options) -> tuple[Report, Census]:
    """As `check`, of the whole tree as if its empty files were not there, with a census of all its files. Raises as
    `check` does."""
    started = time.perf_counter()
    judged = _judged(tree, config, codes, options, counting=True)
    return _report(tree, judged, options, None, started), judged.census or NOTHING_COUNTED


def _judged(tree: Tree, config: Config, codes: frozenset[str], options: Options, *, counting: bool) -> Judged:
    """What is found in `tree`, from the cache where a run has left it; with a census where it is `counting`."""
    cache = options.cache or Cache(None)
    target = target_python(tree, config)
    gathering = Gathering(target.version, config.python_limit, needed_families(codes, counting=counting))
    files = chosen(tree, config)
    environments = Environments(tree, config, target.version, cache, gathering.salt)
    key = result_key(tree, config, codes, gathering, target, environments) + (":counted" if counting else "")
    judged = _remembered(cache, key)
    if (
        judged is not None
        and environments.see_the_same(judged.looks)
        and _same_beside(ContentTree(tree, tree.files) if counting else tree, judged)
        and _still_missing(tree, judged)
    ):
        return judged
    entries = known_entries(tree, config)

    def analyse(gathering: Gathering = gathering) -> Judged:
        facts, problems = collect(tree, files, gathering, options, cache)
        seen, files_seen, hollow = without_empty_files(tree, facts) if counting else (tree, facts, frozenset[str]())
        try:
            program = Program(seen, config, target, files_seen, environments, gathering.only, hollow=hollow)
            found, every = _judge(program, codes, problems, entries)
            census = take_census(program, found.problems, facts) if counting else None
            found = msgspec.structs.replace(found, looks=dict(environments.looks), census=census)
            kept = options.keep(program, found, every) if options.keep is not None and _lasts(found) else {}
            if kept:
                known_as = result_key(tree, config, codes, gathering, target, environments, with_kind=False)
                cache.put_many([(kept_key(known_as) + behind, value) for behind, value in kept.items()])
        except NotGathered as more:
            return analyse(msgspec.structs.replace(gathering, only=(gathering.only or frozenset()) | {more.family}))
        return found

    try:
        judged = analyse()
    except msgspec.DecodeError:
        cache.distrust()
        judged = analyse()
    _remember(cache, key, judged)
    return judged


def _report(
    tree: Tree, judged: Judged, options: Options, within: Callable[[str], bool] | None, started: float
) -> Report:
    """What was found, narrowed to the paths that are asked for, with what the caller knows will not be checked."""
    findings = [finding for finding in judged.findings if within is None or within(finding.path)]
    problems_shown = [problem for problem in judged.problems if within is None or within(problem.path)]
    problems_shown.extend(options.problems)
    if options.cache is not None and options.cache.complaint:
        problems_shown.append(Problem("", "cache", options.cache.complaint))
    return Report(
        guard=__version__,
        tree_kind=tree.kind,
        tree_label=tree.label,
        files_found=judged.found,
        files_analysed=judged.analysed,
        findings=tuple(findings),
        problems=tuple(problems_shown),
        suppressed=judged.suppressed,
        baselined=judged.baselined,
        broken=judged.broken if within is None else judged.broken.only(within),
        kept=judged.kept,
        total_s=round(time.perf_counter() - started, 3),
    )


def look(tree: Tree, config: Config, codes: frozenset[str], options: Options) -> Program:
    """The program that rules `codes` would judge, for whoever asks something else of it. What could not be read of the
    tree is not in it. Raises EnvironmentFailed where ruff or git cannot be run."""
    cache = options.cache or Cache(None)
    target = target_python(tree, config)
    files = chosen(tree, config)
    gathering = Gathering(target.version, config.python_limit, needed_families(codes))
    # The facts of more families serve as well, where an earlier run has left them.
    sample = files[:: max(len(files) // _SAMPLE, 1)]
    for wider in wider_gatherings(gathering):
        known = sum(1 for _ in cache.get_many([f"{wider.salt}:{key_of(file)}" for file in sample]))
        if known * 2 > len(sample):
            gathering = wider
            break
    facts, _ = collect(tree, files, gathering, options, cache)
    return Program(tree, config, target, facts, gathered=gathering.only)


_SAMPLE = 40


def needed_families(codes: Iterable[str], *, counting: bool = False) -> frozenset[str] | None:
    """The families of facts that rules need, by their codes, and a census where one is taken; None where these are all
    that there are.

    Rules that need all the rest get what is counted too: as they are those of CI, a report follows, and finds it."""
    letters = {code.rstrip("0123456789") for code in codes}
    counted = {family.name for family in families() if family.only_counted}
    needed = frozenset(f.name for f in families() if not f.letters or not letters.isdisjoint(f.letters)) - counted
    if counting or len(needed | counted) == len(families()):
        needed |= counted
    return None if len(needed) == len(families()) else needed


@lru_cache
def wider_gatherings(gathering: Gathering) -> tuple[Gathering, ...]:
    """What other runs gather that holds all of this, the widest first: runs of every rule, and plain checks."""
    plain = needed_families(code for code, rule in all_rules().items() if rule.gates != (Gate.CI,))
    wider = []
    for only in (None, plain):
        holds = only is None or (gathering.only is not None and gathering.only < only)
        if only != gathering.only and holds:
            wider.append(msgspec.structs.replace(gathering, only=only))
    return tuple(wider)


def chosen(tree: Tree, config: Config) -> list[SourceFile]:
    """The files of a tree that are looked at."""
    excluded = matcher(config.exclude)
    return [file for path, file in tree.files.items() if not file.is_link and not excluded(path)]


def result_key(
    tree: Tree,
    config: Config,
    codes: frozenset[str],
    gathering: Gathering,
    target: TargetPython,
    environments: Environments,
    *,
    with_kind: bool = True,
) -> str:
    """Everything that the result depends on: contents, names and modes, configuration, rules, versions; and whether
    they are on disk, staged or committed."""
    digest = hashlib.sha256()
    settings = repr(read_settings(tree.git)) if tree.git is not None else ""
    for part in (
        gathering.salt,
        settings,
        tree.kind if with_kind else "",
        tree.context,
        config.digest,
        repr(target),
        environments.identity,
        *sorted(codes),
        *tree.submodules,
    ):
        digest.update(part.encode("utf-8", "surrogateescape") + b"\0")
    for problem in tree.problems:
        digest.update(f"{problem.path}\0{problem.kind}\0".encode("utf-8", "surrogateescape"))
    files_of_tree = [f"{path}\0{file.mode}\0{file.oid}" for path, file in tree.files.items()]
    digest.update("\0".join(files_of_tree).encode("utf-8", "surrogateescape"))
    return f"result:{digest.hexdigest()}"


def kept_key(key: str) -> str:
    """Where `Options.keep`'s value is, of a tree by its `result_key` without its kind: what was staged is committed."""
    return f"kept:{key}"


def _remembered(cache: Cache, key: str) -> Judged | None:
    value = cache.get(key)
    if value is None:
        return None
    try:
        return _JUDGED.decode(value)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


_PASSING = frozenset({"unreadable", "crash"})
"""Problems that may be gone in the next run, although nothing in the tree has changed."""
MISSING_OBJECT = "missing-object"
"""So may this one be, once somebody fetches; but whether it is can be asked."""
_ASKED = 50
"""Missing objects that a remembered result may have: git is asked for each of them."""


def _remember(cache: Cache, key: str, judged: Judged) -> None:
    if not _lasts(judged):
        return
    # A path that is not UTF-8 cannot be stored; such a tree is judged anew in every run.
    with contextlib.suppress(UnicodeEncodeError):
        cache.put_many([(key, msgspec.msgpack.encode(judged))])


def _lasts(judged: Judged) -> bool:
    """Whether the next run would find the same, where nothing has changed that can be asked for."""
    kinds = [problem.kind for problem in judged.problems]
    return _PASSING.isdisjoint(kinds) and kinds.count(MISSING_OBJECT) <= _ASKED


def _still_missing(tree: Tree, judged: Judged) -> bool:
    """Whether the repository still lacks the objects that it lacked."""
    return not tree.has_any([problem.path for problem in judged.problems if problem.kind == MISSING_OBJECT])


# Gathering


def collect(
    tree: Tree, files: Sequence[SourceFile], gathering: Gathering, options: Options, cache: Cache
) -> tuple[dict[str, FileFacts], list[Problem]]:
    """The facts of every file, from the cache where it has them, and the problems that were met."""
    salt = gathering.salt
    keys = [key_of(file) for file in files]
    wanted: dict[str, Wanted] = {}
    for key, file in zip(keys, files, strict=True):
        if key not in wanted:
            wanted[key] = Wanted(key, file)
    known: dict[str, FileFacts] = {}
    # What a run of more families has remembered holds all that a run of some of them wants.
    for one in (*(wider.salt for wider in wider_gatherings(gathering)), salt):
        for salted, value in cache.get_many([f"{one}:{key}" for key in wanted if key not in known]):
            try:
                known[salted.partition(":")[2]] = _FACTS.decode(value)
            except (msgspec.DecodeError, msgspec.ValidationError):
                continue
    missing = [one for key, one in wanted.items() if key not in known]
    done = len(known)

    def keep(batch: Sequence[tuple[str, bytes]]) -> None:
        nonlocal done
        lasting = []
        for key, value in batch:
            facts = known[key] = _FACTS.decode(value)
            if facts.problem is None or facts.problem[0] in _LASTING:
                lasting.append((f"{salt}:{key}", value))
        cache.put_many(lasting)
        done += len(batch)
        if options.progress is not None:
            options.progress(done, len(wanted))

    crashed: dict[str, str] = {}
    jobs = options.jobs or _cores()
    if jobs > 1 and len(missing) > BATCH // 4:
        from guard.pool import gather

        crashed = gather(missing, tree, gathering, jobs, keep)
    elif missing:
        gather_here(missing, tree, gathering, keep)
    problems = list(tree.problems)
    facts_by_path: dict[str, FileFacts] = {}
    for key, file in zip(keys, files, strict=True):
        facts = known.get(key)
        if facts is None:
            problems.append(Problem(file.path, "crash", crashed.get(key, "no facts came back for it")))
            continue
        facts_by_path[file.path] = facts
        if facts.problem is not None and facts.problem[0] != "unparsable":
            problems.append(Problem(file.path, *facts.problem))
    return facts_by_path, problems


_LASTING = frozenset({"too-large", "lfs-pointer", "unparsable"})
"""Problems that the content has by itself, so that they may be remembered with it."""


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# Judging


def _judge(
    program: Program, codes: frozenset[str], problems: list[Problem], entries: Sequence[baseline.Placed]
) -> tuple[Judged, Sequence[Finding]]:
    """What there is to report, and all that was found before the baseline left some out."""
    rules = all_rules()
    enabled = [rule for code, rule in rules.items() if code in codes]
    violations = [(rule, violation) for rule in enabled for violation in rule.check(program)]
    findings = list(findings_of(program, violations))
    bad = {problem.path for problem in problems if problem.kind in _NOT_ANALYSED}
    whole = {path for path, facts in program.files.items() if facts.parsed} - bad
    outcome = apply(findings, program.linked(SUPPRESSIONS), RuleNames(rules), codes, whole)
    hygiene = [(rules[UNUSED], violation) for violation in outcome.unused]
    ignored = ignored_in(program.config, rules)
    excluded = matcher(program.config.exclude)
    findings = [
        finding
        for finding in (*outcome.kept, *findings_of(program, hygiene))
        if finding.code not in ignored(finding.path) and not excluded(finding.path)
    ]
    findings, broken = with_extents(program, findings)
    problems = [*problems, *_unparsed(program, findings)]
    every = findings
    known = baseline.apply(findings, entries, codes, program.tree.files.__contains__, whole.__contains__)
    findings = list(known.kept)
    if baseline.STALE in codes and baseline.STALE not in ignored(program.config.baseline):
        findings += findings_of(program, [(rules[baseline.STALE], entry) for entry in stale(program, known.stale)])
    findings.sort(key=lambda finding: finding.sort_key)
    bad.update(problem.path for problem in problems if problem.kind in _NOT_ANALYSED)
    analysed = sum(path not in bad for path in program.files)
    listed = len(program.files) + len({p.path for p in problems if p.kind == "crash"} - program.files.keys())
    judged = Judged(
        tuple(findings),
        tuple(sorted(set(problems))),
        outcome.suppressed,
        known.known,
        listed,
        analysed,
        broken,
        beside=tuple(sorted(program.beside.items())),
        kept=_kept(program, codes),
    )
    return judged, every


def _kept(program: Program, codes: frozenset[str]) -> dict[str, bytes]:
    """What is kept of a tree for who compares it with another one, or draws it: its applications in production."""
    if not any(code.startswith("MID") for code in codes):
        return {}
    found = [app for app in applications(program, reach_of(program).of) if app.impact not in _ASIDE]
    return {APPLICATIONS: packed(found)} if found else {}


_ASIDE = frozenset({Impact.TESTS, Impact.TOOLING})


def _same_beside(tree: Tree, judged: Judged) -> bool:
    """Whether the disk beside the tree is as it was."""
    return all(tree.is_beside(path) is there for path, there in judged.beside)


def known_entries(tree: Tree, config: Config) -> tuple[baseline.Placed, ...]:
    """What the baseline of the configuration holds, as the tree has it; nothing where none is configured.

    Raises GuardError where the file is not there, or is none: without it every old finding would be told as new.
    """
    if not config.baseline:
        return ()
    content = tree.read(config.baseline) if config.baseline in tree.files else None
    if content is None:
        raise GuardError(
            f"{config.baseline}: the baseline is not in the {tree.kind}; run: guard baseline write, and add the file"
        )
    return baseline.parse(content, config.baseline)


_NOT_ANALYSED = frozenset({"unreadable", "missing-object", "too-large", "crash", "lfs-pointer", "unparsable"})


def _unparsed(program: Program, findings: Iterable[Finding]) -> Iterator[Problem]:
    """Python files that nothing could parse and no finding says why: without this they would pass for clean."""
    told = {(finding.path, finding.code) for finding in findings}
    for path, facts in program.files.items():
        if facts.kind == "text" or facts.parsed:
            continue
        say_why = _SAY_WHY if facts.problem is None else _SAY_SYNTAX
        if not any((path, code) in told for code in say_why):
            yield Problem(path, *(facts.problem or ("unparsable", _UNPARSED[facts.kind])))


_UNPARSED = {
    "python": "not valid Python, and the rules that would say why are off",
    "stub": "not a valid stub",
}
_SAY_SYNTAX = ("SYN001", "SYN003")
_SAY_WHY = (*_SAY_SYNTAX, "TXT001", "TXT002", "TXT003", "TXT005")
"""The rules whose findings explain why a file is no Python."""
