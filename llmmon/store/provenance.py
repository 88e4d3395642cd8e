"""How numbers are made: plug-in, parameters, code version, configuration, model revision and seed."""

from __future__ import annotations

import json

from sqlalchemy import Connection

from llmmon.errors import StoreError
from llmmon.model import Provenance
from llmmon.store.database import fetch


def remember(connection: Connection, provenance: Provenance) -> int:
    """Return the number of `provenance`, writing it down the first time.

    Parameters
    ----------
    connection : Connection
        Inside the transaction that stores what was made this way.

    Returns
    -------
    int
        ``provenance_id``; equal provenances, also from other processes at the same time, have the same one.
    """
    parameters = {
        "digest": provenance.digest,
        "kind": provenance.kind,
        "plugin": provenance.plugin,
        "parameters": json.dumps(dict(provenance.parameters), allow_nan=False),
        "code_version": provenance.code_version,
        "config_digest": provenance.config_digest,
        "model_revision": provenance.model_revision,
        "seed": provenance.seed,
    }
    # looked up first and again last: an upsert would lock the row until the caller's transaction ends
    for name in ("provenance/find", "provenance/insert", "provenance/find"):
        rows = fetch(connection, name, parameters)
        if rows:
            return int(rows[0].provenance_id)
    raise StoreError(f"provenance {provenance.digest.hex()} vanished while it was written; run the stage again")
