"""The migrations and sql/schema.sql tell the same schema."""

from __future__ import annotations

from llmmon.store.snapshot import dump
from llmmon.store.statements import sql_folder


def test_replaying_every_migration_gives_the_schema_in_the_repository(template_url):
    """`make schema` has been run since the last change of a migration."""
    assert dump(template_url) == (sql_folder() / "schema.sql").read_text("utf-8")
