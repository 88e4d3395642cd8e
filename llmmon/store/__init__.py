"""Postgres: connection, migration, statements, then one file per table group."""
