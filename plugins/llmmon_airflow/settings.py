"""Where a DAG finds llmmon's configuration, database and connections."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from llmmon.config import Config, load_config
from llmmon.errors import DeliveryError, StoreUnavailableError

if TYPE_CHECKING:
    from llmmon.channels.base import Connection
    from llmmon.store.database import Database

DAGS_FOLDER = Path(__file__).resolve().parents[2] / "dags"


def configuration() -> Config:
    """Load the file that ``LLMMON_CONFIG`` names, else ``llmmon.toml`` in the DAGs folder."""
    return load_config(Path(os.environ.get("LLMMON_CONFIG") or DAGS_FOLDER / "llmmon.toml"))


@cache
def database() -> Database:
    """Return the database of ``LLMMON_DATABASE_URL``, else of the Airflow connection ``llmmon_db``."""
    from llmmon.store.database import Database

    return Database(os.environ.get("LLMMON_DATABASE_URL") or _connection_url())


def _connection_url() -> str:
    from airflow.exceptions import AirflowNotFoundException
    from airflow.sdk import Connection as AirflowConnection

    try:
        return AirflowConnection.get("llmmon_db").get_uri()
    except AirflowNotFoundException:
        raise StoreUnavailableError(
            "no database: set LLMMON_DATABASE_URL for Airflow's processes, or add the Airflow connection llmmon_db"
        ) from None


def resolve_connection(name: str) -> Connection:
    """Return the Airflow connection called `name`, whichever secrets backend holds it.

    Raises
    ------
    DeliveryError
        When there is none; it may be added later, so trying again can help.
    """
    from airflow.exceptions import AirflowNotFoundException
    from airflow.sdk import Connection as AirflowConnection

    from llmmon.channels.base import Connection

    try:
        found = AirflowConnection.get(name)
    except AirflowNotFoundException:
        raise DeliveryError(f"there is no Airflow connection {name!r}; add it under Admin, Connections") from None
    return Connection(
        host=found.host,
        port=found.port,
        schema=found.schema,
        login=found.login,
        password=found.password,
        extra=found.extra_dejson,
    )


def on_gpu() -> dict[str, str | None]:
    """Return where a task that runs models stands: pool and queue `gpu`, and the executor of ``LLMMON_GPU_EXECUTOR``.

    Without that variable it is Airflow's default executor.
    """
    return {"pool": "gpu", "queue": "gpu", "executor": os.environ.get("LLMMON_GPU_EXECUTOR") or None}


def acting_database() -> Database:
    """Return the database; the audit trail names the running task as the one who acts there."""
    from airflow.sdk import get_current_context

    task = get_current_context()["ti"]
    os.environ["LLMMON_ACTOR"] = f"airflow {task.dag_id}.{task.task_id}, run {task.run_id}"
    return database()


def key_of(connection: str) -> str | None:
    """Return the key of an endpoint: the password of an Airflow connection."""
    return resolve_connection(connection).password
