"""A log whose truth is known: what is in it, and so what must be in the store."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.conftest import as_bytes, make_line

HOURS: Final = 30
"""Requests lie within so many hours, over midnight, so that day partitions are made on the way."""
BAD: Final = (
    b"{",
    b"\xff\xfe",
    b'{"id": NaN}',
    b"null",
    b"[" * 50_000,
    b'{"id": "no-request"}',
    as_bytes(json.dumps(make_line(0, id="a\0b"))),
    as_bytes(json.dumps(make_line(0, id="lone \ud800"))),
    as_bytes(make_line(0, id="x" * 600)),
    as_bytes(make_line(0, id="year-0", timestamp="0000-01-01T00:00:00Z")),
    as_bytes(make_line(0, id="year-300000", timestamp=9_404_000_000_000)),
    as_bytes(make_line(0, id="negative", latency_ms=-1)),
    as_bytes(make_line(0, id="huge")).replace(b"100.0", b"1e200000"),
    as_bytes(make_line(0, id="digits")).replace(b"100.0", b"9" * 5000),
)
"""Rows that cannot be loaded."""
NUL_AND_SURROGATE: Final = "a\0b \ud800 c"
"""Text that Postgres refuses; it is cleaned and the row is loaded."""


@dataclass
class Traffic:
    """A growing file of JSON lines.

    Parameters
    ----------
    path : Path
        Where lines are appended.
    dice : random.Random
        Decides about every row; the same seed writes the same log.

    Attributes
    ----------
    ids : list of str
        Distinct ids of the readable rows, in order.
    bad : Counter of (int, bytes)
        Offset and bytes of the rows that cannot be loaded.
    n_rows : int
        Rows: readable, repeated, bad. Blank lines are none.
    """

    path: Path
    dice: random.Random
    ids: list[str] = field(default_factory=list)
    bad: Counter[tuple[int, bytes]] = field(default_factory=Counter)
    n_rows: int = 0
    _lines: dict[str, bytes] = field(default_factory=dict)
    _offset: int = 0

    @property
    def n_dup(self) -> int:
        """Rows that repeat an id."""
        return self.n_rows - len(self.ids) - self.bad.total()

    def append(self, n: int) -> None:
        """Write `n` rows, among them repeated, changed and broken ones, and some blank lines."""
        self.write(b"".join(self.rows(n)))

    def append_bad(self, raw: bytes) -> None:
        """Write one row that cannot be loaded."""
        self.write(self._line(raw, is_bad=True))

    def rows(self, n: int) -> list[bytes]:
        """Return the bytes of `n` rows that count as written."""
        return [self._row() for _ in range(n)]

    def write(self, data: bytes) -> None:
        """Append bytes to the file."""
        with self.path.open("ab") as file:
            file.write(data)

    def start_file(self, path: Path) -> None:
        """Go on in another file."""
        self.path, self._offset = path, 0

    def _row(self) -> bytes:
        kind = self.dice.random()
        if kind < 0.04:
            return self._line(self.dice.choice(BAD), is_bad=True)
        if kind < 0.08 and self.ids:
            return self._line(self._lines[self.dice.choice(self.ids)])
        return self._line(self._new())

    def _line(self, raw: bytes, *, is_bad: bool = False) -> bytes:
        """Count one row and return it with its line end, sometimes with a blank line behind it."""
        if is_bad:
            self.bad[self._offset, raw] += 1
        self.n_rows += 1
        line = raw + b"\n" * self.dice.choices((1, 2), weights=(50, 1))[0]
        self._offset += len(line)
        return line

    def _new(self) -> bytes:
        index = len(self.ids)
        user = self.dice.choice((None, *(f"user-{n}" for n in range(12))))
        line = make_line(index, user=user)
        line["timestamp"] = 1_687_840_000 + self.dice.randrange(HOURS * 3600)
        if self.dice.random() < 0.05:
            line["request"]["messages"][0]["content"] = NUL_AND_SURROGATE
        raw = as_bytes(json.dumps(line))
        self.ids.append(line["id"])
        self._lines[line["id"]] = raw
        return raw
