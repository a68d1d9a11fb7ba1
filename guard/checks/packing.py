"""Facts as they are kept: encoded, and decoded when somebody asks. Parts that few ask for are packed in turn."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")
_ENCODER: Final = msgspec.msgpack.Encoder()
_decoders: dict[object, msgspec.msgpack.Decoder[Any]] = {}


def pack(value: object) -> msgspec.Raw:
    """The encoded form of facts, or of a part of them that is not always needed."""
    try:
        return msgspec.Raw(_ENCODER.encode(value))
    except UnicodeEncodeError:
        # What is packed inside is unpacked for it, which gives the same bytes in the end.
        builtins = msgspec.to_builtins(value, enc_hook=msgspec.msgpack.decode)
        return msgspec.Raw(_ENCODER.encode(_without_surrogates(builtins)))


def _without_surrogates(value: object) -> object:
    """Half a character (`"\\ud800"` is a string in Python) cannot be stored, and is no name of anything."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    return value


def unpack(raw: msgspec.Raw, kind: type[T]) -> T:
    """What `pack` has encoded. Raises msgspec.DecodeError for anything else."""
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.msgpack.Decoder(kind)
    decoded: T = decoder.decode(raw)
    return decoded
