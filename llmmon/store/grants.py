"""``sql/grants.golden``: every right that a role has on llmmon's schemas, generated for readers and for checks.

``python -m llmmon.store.grants`` writes it, ``--check`` fails when it is stale, and `check_grants` compares a real
database with it.
"""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

from llmmon.errors import LlmmonError, StoreError
from llmmon.store.database import Database, fetch
from llmmon.store.migrate import upgrade
from llmmon.store.scratch import scratch_server
from llmmon.store.statements import sql_folder


def grants_of(database: Database) -> list[str]:
    """Return every right on llmmon's schemas, one line each, sorted."""
    with database.transaction() as connection:
        return [row.line for row in fetch(connection, "role/grants")]


def check_grants(database: Database) -> None:
    """Raise `StoreError` listing every right that somebody has beyond the golden file, or lacks.

    Run at start-up: a right given by hand in an emergency and forgotten is found the next day.
    """
    difference = _difference(_golden().read_text("utf-8").splitlines(), grants_of(database))
    if difference:
        raise StoreError(
            f"{database}: rights differ from {_golden().name} (+ is there, - is missing):\n" + "\n".join(difference)
        )


def main(arguments: list[str]) -> int:
    """Write or check the golden file; return the exit status."""
    try:
        with scratch_server() as url:
            upgrade(url)
            database = Database(url)
            found = grants_of(database)
            database.engine.dispose()
    except LlmmonError as error:
        print(f"grants: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    if arguments == ["--check"]:
        known = _golden().read_text("utf-8").splitlines() if _golden().exists() else []
        difference = _difference(known, found)
        if difference:
            print(f"grants: {_golden()} is stale; run `make schema`:", *difference, sep="\n", file=sys.stderr)  # noqa: T201
        return 1 if difference else 0
    _golden().write_text("\n".join(found) + "\n", "utf-8")
    return 0


def _golden() -> Path:
    return Path(sql_folder(), "grants.golden")


def _difference(known: list[str], found: list[str]) -> list[str]:
    lines = difflib.unified_diff(known, found, lineterm="", n=0)
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
