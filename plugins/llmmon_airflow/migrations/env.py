"""Alembic's entry point, which Airflow insists on; the migrations are the files of ``sql/migrations``."""

from llmmon.store.migrate import upgrade
from llmmon_airflow.settings import database

upgrade(database().url.render_as_string(hide_password=False))
