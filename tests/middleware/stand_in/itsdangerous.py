"""Stands in for itsdangerous where it is not installed: Starlette's session layer signs its cookie with it, which no
request of these tests gets as far as, since no session has data."""

import sys


class BadSignature(Exception): ...


class TimestampSigner:
    def __init__(self, key): ...


exc = sys.modules[__name__]
sys.modules["itsdangerous.exc"] = exc
