"""The Merkle tree of RFC 9162, section 2.1, as far as a growing log needs it."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256


class Tree:
    """A tree that entries are appended to: its size and the roots of its complete parts, largest first.

    Parameters
    ----------
    size : int
        Entries that are in it already.
    parts : iterable of bytes
        Roots of the complete subtrees that these fill, one for each bit of `size` that is set.
    """

    def __init__(self, size: int = 0, parts: Iterable[bytes] = ()) -> None:
        self.size = size
        self.parts = list(parts)

    def add(self, entry: bytes) -> bytes:
        """Append an entry and return its leaf hash."""
        leaf = node = sha256(b"\x00" + entry).digest()
        before = self.size
        while before & 1:
            node = sha256(b"\x01" + self.parts.pop() + node).digest()
            before >>= 1
        self.parts.append(node)
        self.size += 1
        return leaf

    @property
    def root(self) -> bytes:
        """The tree hash over all entries; over none it is SHA-256 of nothing."""
        if not self.parts:
            return sha256().digest()
        node = self.parts[-1]
        for part in self.parts[-2::-1]:
            node = sha256(b"\x01" + part + node).digest()
        return node


def root_of(entries: Iterable[bytes]) -> bytes | None:
    """Return the tree hash over `entries` in order, None when there are none."""
    tree = Tree()
    for entry in entries:
        tree.add(entry)
    return tree.root if tree.size else None
