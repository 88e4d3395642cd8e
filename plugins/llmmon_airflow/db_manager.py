"""llmmon's schema as part of ``airflow db migrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.utils.db_manager import BaseDBManager
from sqlalchemy import MetaData
from sqlalchemy.orm import Session

from llmmon.store.migrate import VERSION_TABLE, upgrade
from llmmon_airflow.settings import database


class LlmmonDBManager(BaseDBManager):
    """Brings llmmon's own database forward; never drops anything, so that ``airflow db reset`` keeps the evidence."""

    metadata = MetaData()
    migration_dir = str(Path(__file__).parent / "migrations")
    version_table_name = VERSION_TABLE
    supports_table_dropping = False

    def __init__(self, session: Session) -> None:
        super().__init__(session)

    def get_current_revision(self) -> Any:
        """Return the revision of llmmon's database."""
        from llmmon.store.migrate import current_revision

        return current_revision(database())

    def upgradedb(self, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002  Airflow's signature
        """Apply the migrations that are missing, and refuse to go on when a role has other rights than it should.

        With no migration missing, the writer's rights are enough.
        """
        from llmmon.store.grants import check_grants

        if not self.check_migration():
            upgrade(database().url.render_as_string(hide_password=False))
        check_grants(database())

    def initdb(self) -> None:
        """Create the schema."""
        self.upgradedb()

    def create_db_from_orm(self) -> None:
        """Create the schema; there is no ORM."""
        self.upgradedb()

    def check_migration(self) -> bool:
        """Return whether the database is at this version's revision."""
        from llmmon.errors import SchemaVersionError
        from llmmon.store.migrate import check_schema

        try:
            check_schema(database())
        except SchemaVersionError:
            return False
        return True
