"""Statements and code belong together."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmmon.errors import StoreError
from llmmon.store.statements import sql_folder, statement

ROOT = Path(__file__).parents[3]
QUERIES = sql_folder() / "queries"
NAMES = sorted(path.relative_to(QUERIES).with_suffix("").as_posix() for path in QUERIES.rglob("*.sql"))


def test_every_statement_is_used() -> None:
    """A statement that no code names is dead."""
    code = "".join(
        path.read_text("utf-8") for folder in ("llmmon", "plugins") for path in (ROOT / folder).rglob("*.py")
    )

    assert [name for name in NAMES if f'"{name}"' not in code] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_says_what_it_is_for(name: str) -> None:
    """The first line of each file is a comment."""
    assert statement(name).startswith("-- ")


def test_a_missing_statement_names_the_file() -> None:
    """The error says which file was expected."""
    with pytest.raises(StoreError, match=r"request_log/guess\.sql"):
        statement("request_log/guess")
