"""Named SQL statements: one file each under ``sql/queries/<table>/<verb>.sql``, parameters as ``%(name)s``."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from llmmon.errors import StoreError

_PACKAGE = Path(__file__).resolve().parents[1]
_PLACES: Final = (_PACKAGE / "_sql", _PACKAGE.parent / "sql")


@cache
def sql_folder() -> Path:
    """Return the folder that holds ``migrations/``, ``queries/`` and ``compliance/``."""
    for place in _PLACES:
        if place.is_dir():
            return place
    raise StoreError(f"no SQL files: looked in {' and '.join(map(str, _PLACES))}; reinstall llmmon")


@cache
def statement(name: str) -> str:
    """Return the statement called `name`, such as ``request_log/window``."""
    path = sql_folder() / "queries" / f"{name}.sql"
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise StoreError(f"no SQL statement {name!r}: expected the file {path}") from None
