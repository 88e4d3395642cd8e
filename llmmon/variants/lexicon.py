"""Word lists for attribute swaps, read from ``lexicons/<attribute>.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).with_name("lexicons")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One term: the rule and row that it stands in, and its group."""

    rule: str
    row: tuple[str, ...]
    group: int
    not_followed_by: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Lexicon:
    """The terms of one attribute.

    Parameters
    ----------
    groups : tuple of str
        Columns of every row.
    pattern : re.Pattern
        Matches a term, or, with the group ``age``, a stated age.
    exact, folded : mapping of str to Entry
        By the term as written, for rules that are case-sensitive; by the term in lower case, for the others.
    mirror : int or None
        A stated age n becomes ``mirror - n``.
    pronouns : bool
        Whether him, his, her and hers are swapped.
    """

    groups: tuple[str, ...]
    pattern: re.Pattern[str]
    exact: Mapping[str, Entry]
    folded: Mapping[str, Entry]
    mirror: int | None
    pronouns: bool

    def entry(self, term: str) -> Entry | None:
        """Return the entry of a term as it was found in a text."""
        return self.exact.get(term) or self.folded.get(term.lower())


def attributes() -> tuple[str, ...]:
    """Return the attributes that there is a lexicon for."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


@cache
def lexicon(attribute: str) -> Lexicon:
    """Read the lexicon of `attribute`.

    Raises
    ------
    ValueError
        When a row has another number of columns than there are groups, or a term stands in two places: swapping twice
        would not give the original.
    """
    raw = tomllib.loads((FOLDER / f"{attribute}.toml").read_text("utf-8"))
    groups = tuple(raw["groups"])
    exact: dict[str, Entry] = {}
    folded: dict[str, Entry] = {}
    mirror = None
    for name, rule in raw["rules"].items():
        if "mirror" in rule:
            mirror = int(rule["mirror"])
            continue
        sensitive = bool(rule.get("case_sensitive", False))
        for row in rule.get("terms", [list(groups)]):
            if len(row) != len(groups):
                raise ValueError(f"lexicon {attribute}: {name}: {row} has {len(row)} columns, expected {len(groups)}")
            for group, term in enumerate(row):
                if term:
                    _add(
                        exact if sensitive else folded,
                        attribute,
                        term if sensitive else term.lower(),
                        name,
                        rule,
                        row,
                        group,
                    )
    terms = sorted([*exact, *folded], key=len, reverse=True)
    parts = [rf"(?<![\w-])(?:{'|'.join(map(_either_case, terms, [term in exact for term in terms]))})(?![\w-])"]
    if mirror is not None:
        parts.insert(0, r"(?<![\w.-])(?P<age>\d{1,2})[- ]years?[- ]olds?\b")
    if raw.get("pronouns"):
        parts.insert(0, r"(?<![\w-])(?P<pronoun>(?i:him|his|hers|her))(?![\w-])")
    return Lexicon(
        groups=groups,
        pattern=re.compile("|".join(parts)),
        exact=exact,
        folded=folded,
        mirror=mirror,
        pronouns=bool(raw.get("pronouns")),
    )


def _add(
    into: dict[str, Entry], attribute: str, term: str, name: str, rule: Mapping[str, Any], row: list[str], group: int
) -> None:
    if term in into:
        raise ValueError(f"lexicon {attribute}: {term!r} stands in {into[term].rule} and in {name}")
    into[term] = Entry(rule=name, row=tuple(row), group=group, not_followed_by=tuple(rule.get("not_followed_by", ())))


def _either_case(term: str, sensitive: bool) -> str:
    return re.escape(term) if sensitive else f"(?i:{re.escape(term)})"
