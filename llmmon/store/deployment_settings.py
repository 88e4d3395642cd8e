"""What the configuration said of a deployment, under the digest that provenance names."""

from __future__ import annotations

import json

from sqlalchemy import Connection

from llmmon.model import Json
from llmmon.store.database import execute, fetch


def keep_settings(connection: Connection, config_digest: str, deployment: str, settings: Json) -> None:
    """Write down what a configuration says of a deployment; it is there already from the second time on."""
    row = {"config_digest": config_digest, "deployment": deployment, "settings": json.dumps(dict(settings))}
    execute(connection, "deployment_settings/keep", row)


def find_settings(connection: Connection, config_digest: str, deployment: str) -> Json | None:
    """Return what a configuration said of a deployment, None where nobody wrote it down."""
    rows = fetch(connection, "deployment_settings/find", {"config_digest": config_digest, "deployment": deployment})
    return rows[0].settings if rows else None
