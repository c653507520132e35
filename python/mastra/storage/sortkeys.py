"""The order of index values, as something that can be compared: missing, then numbers, then texts."""

from __future__ import annotations

import struct
from typing import Any, TypeAlias

SortKey: TypeAlias = tuple[int, Any]

LOWEST: SortKey = (0, 0)


def sort_key(value: Any) -> SortKey:
    """A tuple that Python compares as `Order` promises; false counts as 0 and true as 1."""
    if value is None:
        return LOWEST
    return (2, value) if isinstance(value, str) else (1, value)


def sort_bytes(value: Any) -> bytes:
    """The same order as bytes, for backends that compare those. Whole numbers are exact up to 2**53."""
    if value is None:
        return b"\x00"
    if isinstance(value, str):
        return b"\x02" + value.encode()
    (bits,) = struct.unpack(">Q", struct.pack(">d", float(value) + 0.0))
    # IEEE 754 sorts like a whole number once negative ones are turned round.
    bits = bits ^ 0xFFFFFFFFFFFFFFFF if bits >> 63 else bits | 1 << 63
    return b"\x01" + struct.pack(">Q", bits)
