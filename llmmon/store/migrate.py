"""The schema, brought forward by Alembic: a migration is one file ``sql/migrations/NNNN_name.sql`` and one transaction.

Alembic's revisions are made from the file names, so a new migration is one new file. The version table has a name of
its own and stands in ``public``, so that llmmon may share a database with Airflow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionMap
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from llmmon.errors import SchemaVersionError, StoreError
from llmmon.store.database import Database, fetch
from llmmon.store.statements import sql_folder
from llmmon.store.views import apply_views

VERSION_TABLE: Final = "llmmon_alembic_version"
_FILE_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database at `url` forward to `revision`; what is there already is left alone.

    At head the compliance views are made anew where their files changed.

    Two processes that migrate at once take turns. A migration that fails is rolled back whole; the earlier ones stay.

    Parameters
    ----------
    url : str
        ``postgresql://user:password@host:port/name``; the database exists.
    revision : str
        Number of a migration, or ``head``.

    Raises
    ------
    StoreUnavailableError
        When Postgres cannot be reached.
    StoreError
        When Postgres refuses a migration.
    """
    database = Database(url)
    try:
        with database.transaction() as lock:
            fetch(lock, "migration/lock")
            with database.engine.connect().execution_options(no_parameters=True) as connection:
                directory = scripts()

                def steps(current: Any, _: MigrationContext) -> Sequence[MigrationStep]:
                    return directory._upgrade_revs(revision, current)

                options = {"fn": steps, "version_table": VERSION_TABLE, "transaction_per_migration": True}
                MigrationContext.configure(connection, opts=options).run_migrations(connection=connection)
            if revision == "head":
                apply_views(lock)
    finally:
        database.engine.dispose()


def check_schema(database: Database) -> None:
    """Raise `SchemaVersionError` unless the database has exactly the schema that this code expects."""
    found, head = current_revision(database), scripts().get_current_head()
    if found == head:
        return
    if found is None:
        raise SchemaVersionError(f"{database}: no llmmon schema in it; `llmmon init` or `airflow db migrate` makes it")
    if found in {script.revision for script in scripts().walk_revisions()}:
        raise SchemaVersionError(
            f"{database}: its schema is {found}, this code needs {head}; "
            "`llmmon init` or `airflow db migrate` brings it forward"
        )
    raise SchemaVersionError(
        f"{database}: its schema is {found}, which is newer than this code ({head}); install the newer llmmon"
    )


def current_revision(database: Database) -> str | None:
    """Return the number of the last migration that ran, None when there was none."""
    with database.transaction() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        return context.get_current_revision()


def scripts() -> ScriptDirectory:
    """Return the migrations as Alembic's revisions, for its commands and for Airflow's DB manager."""
    folder = sql_folder() / "migrations"
    directory = ScriptDirectory(folder)
    directory.revision_map = RevisionMap(lambda: _scripts(folder))
    return directory


def _scripts(folder: Path) -> Iterator[Script]:
    previous: str | None = None
    for path in sorted(folder.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None or match[1] == previous:
            raise StoreError(f"{path}: expected a migration of its own number, named NNNN_words.sql")
        module = ModuleType(f"llmmon.migration_{match[1]}", path.stem)
        module.__dict__.update(down_revision=previous, upgrade=_runner(path))
        previous = match[1]
        yield Script(module, previous, path)


def _runner(path: Path) -> Any:
    def run(connection: Connection) -> None:
        try:
            connection.exec_driver_sql(path.read_text("utf-8"))
        except DBAPIError as error:
            reason = str(error.orig).strip().splitlines()[0]
            raise StoreError(
                f"migration {path.name}: Postgres refused: {reason}; it was rolled back, the earlier ones stay"
            ) from error

    return run
