"""The Merkle tree hash of RFC 9162, section 2.1.1."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256


def root_of(entries: Sequence[bytes]) -> bytes | None:
    """Return the tree hash over `entries` in order, None when there are none."""
    level = [sha256(b"\x00" + entry).digest() for entry in entries]
    while len(level) > 1:
        pairs = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
        # a last node without a neighbour goes up as it is, which gives the largest power of two to the left
        level = pairs + level[len(pairs) * 2 :]
    return level[0] if level else None
