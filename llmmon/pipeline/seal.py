"""Seal: give the events of the audit trail their places in the ledger's tree, and show that somebody does."""

from __future__ import annotations

import logging
import time
from typing import Final, NoReturn

from llmmon.audit.event import body
from llmmon.errors import StoreError
from llmmon.store import audit, ledger
from llmmon.store.database import Database

_log = logging.getLogger(__name__)
_AT_ONCE: Final = 20_000


def seal(database: Database) -> int:
    """Seal every event that waits, as many at once as are sealed in about a second; return how many."""
    n_sealed = 0
    while True:
        with database.transaction() as connection:
            n = ledger.seal(connection, _AT_ONCE)
        if n is None:  # another sealer is at work, and will find what waits
            return n_sealed
        n_sealed += n
        if n < _AT_ONCE:
            return n_sealed


def keep_sealing(database: Database, *, every_s: float, alive_s: float) -> NoReturn:
    """Seal every `every_s` seconds, for ever; after `alive_s` seconds without an event record a sign of life.

    That sign makes silence visible: a trail that ends without one was cut off. Where Postgres is away for a while,
    sealing goes on when it is back.
    """
    last_event = time.monotonic()
    while True:
        try:
            if seal(database):
                last_event = time.monotonic()
            elif time.monotonic() - last_event >= alive_s:
                with database.transaction() as connection:
                    audit.append(connection, body("ledger.alive", "ledger", {}, config_digest=""))
        except StoreError as error:
            if not error.transient:
                raise
            _log.warning("not sealed, trying again: %s", error)
        time.sleep(every_s)
