"""What an exception says of a connection, so that nobody needs to read it out of a text again."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from traceback import walk_tb

_DEEPEST = 6


def chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and those that it came from, the outermost first."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen and len(seen) < _DEEPEST:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__  # also where it is not to be shown: it is evidence all the same


def facts_of(error: BaseException, root: Path) -> dict[str, str]:
    """See `guard.runner.record.Test.facts`. Never raises, whatever the exception is."""
    facts: dict[str, str] = {"chain": " < ".join(map(type_of, chain(error)))}
    for one in chain(error):
        for name, value in _own_facts(one):
            facts.setdefault(name, value)
    frames = [(frame.f_code.co_filename, line, frame.f_code.co_name) for frame, line in walk_tb(error.__traceback__)]
    own = [frame for frame in frames if _is_own(frame[0], root)]
    if own:
        path, line, name = own[-1]
        facts["frame"] = f"{Path(path).relative_to(root).as_posix()}:{line} in {name}"
    return facts


def type_of(error: BaseException) -> str:
    """`module.Class`; without the module for built-in ones."""
    kind = type(error)
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")


def _is_own(path: str, root: Path) -> bool:
    return path.startswith(f"{root}/") and "/site-packages/" not in path


def _own_facts(error: BaseException) -> Iterator[tuple[str, str]]:
    if isinstance(error, OSError) and error.errno is not None and error.errno in errno.errorcode:
        yield "errno", errno.errorcode[error.errno]
    try:
        if hasattr(error, "rcvd") and hasattr(error, "sent"):  # websockets.exceptions.ConnectionClosed
            received, sent = error.rcvd, error.sent
            yield "close_code", str(received.code if received is not None else 1006)
            first = received is not None and (sent is None or bool(getattr(error, "rcvd_then_sent", False)))
            yield "closed_by", "server" if first else "client" if received is not None else "nobody"
            if received is not None and received.reason:
                yield "close_reason", str(received.reason)
        response = getattr(error, "response", None)
        status = (
            getattr(response, "status_code", None) or getattr(error, "status", None) or getattr(error, "code", None)
        )
        if isinstance(status, int) and 100 <= status <= 599:
            yield "status", str(int(status))
            yield "upgrade", "refused" if type(error).__module__.startswith("websockets") else ""
        request = getattr(error, "_request", None) or getattr(response, "request", None)
        url = getattr(request, "url", None) or getattr(error, "url", None)
        if url is not None:
            yield "url", str(url)
        sent, came = getattr(request, "headers", None), getattr(response, "headers", None)
        if sent is not None and "authorization" in {str(name).lower() for name in sent}:
            yield "sent_authorization", "yes"
        if came is not None and came.get("server"):
            yield "server", str(came.get("server"))
    except Exception:  # the attributes are the libraries' own, and may be properties that raise
        return
