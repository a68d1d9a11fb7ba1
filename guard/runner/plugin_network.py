"""Which peers the tests of this process connect to, seen by an audit hook and the kernel's own counters.

There is no audit event for the end of a socket, so the one method of the standard library that ends them tells of it
first; libraries and the code under test are left as they are.

Seen: every TCP connection that a Python socket makes in this process, in any thread, by any library above it; and
traffic on connections that stay open from test to test. Not seen: connections of child processes, of compiled code
with sockets of its own (uvloop, grpc), and, outside of Linux, whether and how much was sent. A socket that was dropped
without being closed is taken to have reached its peer.
"""

from __future__ import annotations

import functools
import socket
import struct
import sys
import weakref
from collections.abc import Callable
from typing import Any, Final, NamedTuple

Address = tuple[str, int]
_COUNTERS: Final = struct.Struct("=B119xQQ")
"""The start of Linux's `struct tcp_info`: the state, then bytes that were acknowledged and received."""
_ESTABLISHED_OR_LATER: Final = frozenset({1, 4, 5, 8, 9, 11})


class Traffic(NamedTuple):
    """What a test had to do with the network."""

    peers: tuple[Address, ...]
    """What it connected to, or exchanged bytes with; attempts that are known to have failed are left out."""
    failed: tuple[Address, ...]
    """What it tried to connect to in vain, as far as that is known."""
    sent: int
    received: int


class Network:
    """Watches the sockets of this process. Made once: an audit hook cannot be taken away."""

    def __init__(self) -> None:
        self._sockets: dict[int, weakref.ref[socket.socket]] = {}
        self._counted: dict[int, tuple[int, int]] = {}
        self._known: set[Address] = set()
        self._tried: list[tuple[int, Address]] = []
        self._reached: set[Address] = set()
        self._failed: dict[int, Address] = {}
        self._bytes = [0, 0]
        sys.addaudithook(_hook(self._connects, self._follow))
        _tell_of_ends(self.closing)

    def begin(self) -> None:
        """A test begins: what was so far is not its own."""
        self._sample_all()
        self._tried = []
        self._reached = set()
        self._failed = {}
        self._bytes = [0, 0]

    def end(self) -> Traffic:
        """What the test did since `begin`."""
        self._sample_all()
        tried = {address for key, address in self._tried if key not in self._failed}
        peers = tried | self._reached
        failed = set(self._failed.values()) - peers
        return Traffic(tuple(sorted(peers)), tuple(sorted(failed)), self._bytes[0], self._bytes[1])

    def closing(self, one: socket.socket) -> None:
        """A socket is about to be closed: the last moment to count it. Never raises."""
        if id(one) in self._sockets:
            self._sample(id(one), one)
            self._forget(id(one))

    def _connects(self, one: object, address: object) -> None:
        if isinstance(one, socket.socket) and isinstance(address, tuple) and one.type == socket.SOCK_STREAM:
            self._follow(one)
            peer = (_plain(str(address[0])), int(address[1]))
            self._known.add(peer)
            self._tried.append((id(one), peer))

    def _follow(self, one: object, *_: object) -> None:
        if not isinstance(one, socket.socket):
            return
        key = id(one)
        self._sockets[key] = weakref.ref(one)
        self._counted.setdefault(key, (0, 0))

    def _forget(self, key: int) -> None:
        self._sockets.pop(key, None)
        self._counted.pop(key, None)

    def _sample_all(self) -> None:
        for key, reference in list(self._sockets.items()):
            one = reference()
            if one is None or one.fileno() < 0:
                self._forget(key)
            else:
                self._sample(key, one)

    def _sample(self, key: int, one: socket.socket) -> None:
        """Add what went over a socket since it was last looked at."""
        if not sys.platform.startswith("linux"):
            return
        try:
            state, acknowledged, received = _COUNTERS.unpack(
                one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _COUNTERS.size)
            )
        except (OSError, struct.error):
            return  # not TCP, or not open
        # An address that was asked for by its name is resolved by now, and a socket that TLS was put over was never
        # seen to connect itself: the kernel knows its peer.
        before = self._counted.get(key, (0, 0))
        self._counted[key] = (acknowledged, received)
        try:
            peer = one.getpeername()
        except OSError:
            peer = None
        if peer is None and state not in _ESTABLISHED_OR_LATER and not received:
            self._failed.update({tried: address for tried, address in self._tried if tried == key})
            return
        if peer is not None and (_plain(str(peer[0])), int(peer[1])) in self._known:
            sent, got = max(acknowledged - before[0], 0), max(received - before[1], 0)
            self._bytes[0] += sent
            self._bytes[1] += got
            if sent or got:
                self._reached.add((_plain(str(peer[0])), int(peer[1])))


def _hook(connects: Callable[..., None], is_new: Callable[..., None]) -> Callable[[str, tuple[object, ...]], None]:
    """An audit hook. It is called for dozens of events in each test, most of them of pytest's own doing: a plain
    function takes a third of the time that a method takes, where the interpreter looks for an attribute in vain."""

    def hook(event: str, args: tuple[object, ...]) -> None:
        if event == "socket.connect":
            connects(*args)
        elif event == "socket.__new__":
            is_new(*args)

    return hook


def _tell_of_ends(told: Callable[[socket.socket], None]) -> None:
    """Have `told` called with each socket that is about to be closed."""
    close = socket.socket._real_close  # type: ignore[attr-defined]

    @functools.wraps(close)
    def telling(self: socket.socket, *args: Any, **options: Any) -> None:
        told(self)
        close(self, *args, **options)

    socket.socket._real_close = telling  # type: ignore[attr-defined]


def _plain(host: str) -> str:
    """An IPv4 address that is written as an IPv6 one, as it is."""
    return host.removeprefix("::ffff:")
