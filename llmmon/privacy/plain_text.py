"""Text as recognisers expect it, with the way back: disguised digits and invisible letters do not hide a number."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

# a digit of another script, an invisible letter, a hyphen or space of another kind, a full-width or styled letter
_UNUSUAL: Final = re.compile(
    r"(?![0-9])\d|[\u00a0\u00ad\u034f\u061c\u180e\u2000-\u2015\u2024-\u202f\u205f-\u2064\u206a-\u206f\u2212\u3000"
    r"\ufe58\ufe63\ufe6b\ufeff\uff00-\uffef\U0001d400-\U0001d7ff]"
)


@dataclass(frozen=True, slots=True)
class PlainText:
    """A text without disguise.

    Parameters
    ----------
    text : str
        Digits of any script are ASCII, hyphens and spaces of any kind too, invisible letters are left out.
    places : sequence of int or None
        Where each letter of `text` stands in the original; None: at the same place.
    """

    text: str
    places: Sequence[int] | None = None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return the stretch of the original that ``text[start:end]`` was made of."""
        if self.places is None:
            return start, end
        return self.places[start], self.places[end - 1] + 1


def plain_text(text: str) -> PlainText:
    """Return `text` without disguise; in time and memory proportional to its length, at once where there is none."""
    if text.isascii() or not _UNUSUAL.search(text):
        return PlainText(text)
    letters: list[str] = []
    places: list[int] = []
    for place, letter in enumerate(text):
        for plain in letter if letter.isascii() else _plain(letter):
            letters.append(plain)
            places.append(place)
    return PlainText("".join(letters), places)


@cache  # at most one entry for each letter of Unicode
def _plain(letter: str) -> str:
    kind = unicodedata.category(letter)
    if kind == "Cf" or letter == "\u034f":  # the latter joins graphemes and is as invisible
        return ""
    if kind == "Nd":
        return str(unicodedata.decimal(letter))
    if kind == "Zs":
        return " "
    if kind == "Pd" or letter == "\u2212":
        return "-"
    return unicodedata.normalize("NFKC", letter)
