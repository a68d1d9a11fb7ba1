"""Facts that only few runs look at: kept encoded inside the facts of their file, and decoded when somebody asks."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")
_ENCODER: Final = msgspec.msgpack.Encoder()
_decoders: dict[object, msgspec.msgpack.Decoder[Any]] = {}


def pack(value: object) -> msgspec.Raw:
    """The encoded form of facts that are not always needed."""
    return msgspec.Raw(_ENCODER.encode(value))


def unpack(raw: msgspec.Raw, kind: type[T]) -> T:
    """What `pack` has encoded. Raises msgspec.DecodeError for anything else."""
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.msgpack.Decoder(kind)
    decoded: T = decoder.decode(raw)
    return decoded
