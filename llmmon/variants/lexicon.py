"""Word lists for attribute swaps, read from ``lexicons/<attribute>.toml`` and from files of a team's own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).with_name("lexicons")
_KEYS: Final = frozenset(
    {"attribute", "source", "licence", "groups", "pronouns", "protected", "rules"},
)
_RULE_KEYS: Final = frozenset({"terms", "case_sensitive", "followed_by", "not_followed_by", "only", "mirror"})
_NOT_PROSE: Final = r"```.*?(?:```|\Z)|`[^`\n]+`|\b[a-z]+://[^\s<>\"']+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|<[A-Z][A-Z_]+>"
"""Code, addresses and what redaction left: words in them are no words about people."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One term: the rule and row that it stands in, its group, and which words may follow."""

    rule: str
    row: tuple[str, ...]
    group: int
    followed_by: frozenset[str] = frozenset()
    not_followed_by: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Lexicon:
    """The terms of one attribute.

    Parameters
    ----------
    groups : tuple of str
        Columns of every row.
    pattern : re.Pattern
        Matches a term, or, with the group ``age``, a stated age, ``pronoun`` one that the sentence decides, and
        ``protected`` what is left as it is.
    exact, folded : mapping of str to Entry
        By the term as written, for rules that are case-sensitive; by the term in lower case, for the others.
    mirror : int or None
        A stated age n becomes ``mirror - n``.
    """

    groups: tuple[str, ...]
    pattern: re.Pattern[str]
    exact: Mapping[str, Entry]
    folded: Mapping[str, Entry]
    mirror: int | None

    def entry(self, term: str) -> Entry | None:
        """Return the entry of a term as it was found in a text."""
        return self.exact.get(term) or self.folded.get(term.lower())


def attributes() -> tuple[str, ...]:
    """Return the attributes that a lexicon ships for."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


@cache
def lexicon(attribute: str, paths: tuple[str, ...] = ()) -> Lexicon:
    """Read the lexicon of `attribute`: the one that ships, with the files of `paths` added to it.

    Parameters
    ----------
    attribute : str
        One of `attributes`, or one that a file of `paths` defines.
    paths : tuple of str
        TOML files of a team's own; each says in ``attribute`` what it is about.

    Raises
    ------
    ValueError
        Naming file and rule, when a file cannot be read, is about another attribute or has other groups, a key is
        unknown, a row has another number of columns than there are groups, or a term stands in two places: swapping
        twice would not give the original.
    """
    built_in = [(f"lexicon {attribute}", FOLDER / f"{attribute}.toml")] if attribute in attributes() else []
    files = [(where, _read(where, path)) for where, path in [*built_in, *((f"lexicons: {p}", Path(p)) for p in paths)]]
    if not files:
        raise ValueError(
            f"attribute is {attribute!r}; expected one of {', '.join(attributes())}, "
            "or one that a file named in `lexicons` is about"
        )
    groups = tuple(files[0][1]["groups"])
    for where, raw in files[len(built_in) :]:
        if raw.get("attribute") != attribute:
            raise ValueError(f"{where}: attribute is {raw.get('attribute')!r}; expected {attribute!r}")
        if tuple(raw["groups"]) != groups:
            raise ValueError(f"{where}: groups are {raw['groups']}; expected {list(groups)}, as in {files[0][0]}")
    exact: dict[str, Entry] = {}
    folded: dict[str, Entry] = {}
    mirror = None
    for where, raw in files:
        for name, rule in raw["rules"].items():
            mirror = rule.get("mirror", mirror)
            into = exact if rule.get("case_sensitive") else folded
            for term, entry in _entries(where, name, rule, groups):
                key = term if into is exact else term.lower()
                if key in into:
                    raise ValueError(f"{where}: {name}: {term!r} stands in {into[key].rule} too")
                into[key] = entry
    protected = [phrase for _, raw in files for phrase in raw.get("protected", ())]
    pronouns = any(raw.get("pronouns") for _, raw in files)
    pattern = _pattern(exact, folded, protected, ages=mirror is not None, pronouns=pronouns)
    return Lexicon(groups=groups, pattern=pattern, exact=exact, folded=folded, mirror=mirror)


def _read(where: str, path: Path) -> dict[str, Any]:
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{where}: cannot be read: {error}") from error
    _only_known(where, raw, _KEYS)
    groups, rules = raw.get("groups"), raw.get("rules")
    if not isinstance(groups, list) or len(set(groups)) != len(groups) or len(groups) < 2:
        raise ValueError(f"{where}: groups is {groups!r}; expected a list of two or more different names")
    if not isinstance(rules, dict) or not rules:
        raise ValueError(f"{where}: rules is {rules!r}; expected at least one table [rules.NAME] with `terms`")
    for name, rule in rules.items():
        _only_known(f"{where}: {name}", rule, _RULE_KEYS)
        if rule.get("only", groups[0]) not in groups:
            raise ValueError(f"{where}: {name}: only is {rule['only']!r}; expected one of {', '.join(groups)}")
        for row in rule.get("terms", ()):
            if len(row) != len(groups) or not all(isinstance(term, str) for term in row):
                raise ValueError(f"{where}: {name}: {row} does not have the {len(groups)} columns {', '.join(groups)}")
    return raw


def _only_known(where: str, table: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise ValueError(f"{where}: unknown key {unknown[0]!r}; expected {', '.join(sorted(known))}")


def _entries(where: str, name: str, rule: Mapping[str, Any], groups: Sequence[str]) -> Iterator[tuple[str, Entry]]:
    if "mirror" in rule:
        if not isinstance(rule["mirror"], int):
            raise ValueError(f"{where}: {name}: mirror is {rule['mirror']!r}; expected a whole number of years")
        return
    for row in rule.get("terms", [list(groups)]):
        for group, term in enumerate(row):
            if term and rule.get("only", groups[group]) == groups[group]:
                yield (
                    term,
                    Entry(
                        rule=name,
                        row=tuple(row),
                        group=group,
                        followed_by=frozenset(rule.get("followed_by", ())),
                        not_followed_by=frozenset(rule.get("not_followed_by", ())),
                    ),
                )


def _pattern(
    exact: Mapping[str, Entry], folded: Mapping[str, Entry], protected: Sequence[str], *, ages: bool, pronouns: bool
) -> re.Pattern[str]:
    phrases = "|".join(rf"\b{re.escape(phrase)}\b" for phrase in sorted(protected, key=len, reverse=True))
    parts = [rf"(?P<protected>{'|'.join(filter(None, (_NOT_PROSE, phrases)))})"]
    if pronouns:
        parts.append(r"(?<![\w-])(?P<pronoun>(?i:him|his|hers|her))(?![\w-])")
    if ages:
        parts.append(r"(?<![\w.-])(?P<age>\d{1,2})[- ]years?[- ]olds?\b")
    terms = sorted([*exact, *folded], key=len, reverse=True)
    found = [re.escape(term) if term in exact else f"(?i:{re.escape(term)})" for term in terms]
    if found:
        parts.append(rf"(?<![\w-])(?:{'|'.join(found)})(?![\w-])")
    return re.compile("|".join(parts), re.DOTALL)
