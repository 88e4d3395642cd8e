"""What a person does to an alert: acknowledge, resolve, reopen or note it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from llmmon.audit.event import body
from llmmon.errors import AlertStateError, UnknownAlertError
from llmmon.store.audit import append
from llmmon.store.database import Database, fetch

AlertEvent = Literal["acknowledged", "resolved", "reopened", "noted"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertChange:
    """An alert's state before and after."""

    alert_id: int
    old_state: str
    new_state: str


def change_alert(
    database: Database, alert_id: int, event: AlertEvent, *, actor: str, note: str | None, config_digest: str
) -> AlertChange:
    """Change the state of an alert, with its event and its audit entry, in one transaction.

    Parameters
    ----------
    actor : str
        Who does it, as the login knows them.
    note : str or None
        Kept with the event; the audit entry says only that there is one.

    Raises
    ------
    UnknownAlertError
        When there is no such alert.
    AlertStateError
        When the event does not fit the alert's state, because somebody else was faster.
    """
    with database.transaction() as connection:
        return change_alert_within(connection, alert_id, event, actor=actor, note=note, config_digest=config_digest)


def change_alert_within(
    connection: Connection, alert_id: int, event: AlertEvent, *, actor: str, note: str | None, config_digest: str
) -> AlertChange:
    """Do what `change_alert` does in the caller's transaction."""
    given = {"alert_id": alert_id, "event": event, "actor": actor, "note": note}
    changed = fetch(connection, "alert/change", given)
    if not changed:
        found = fetch(connection, "alert/state", {"alert_id": alert_id})
        if not found:
            raise UnknownAlertError(f"there is no alert {alert_id}; `llmmon query alerts` lists them")
        raise AlertStateError(f"alert {alert_id} is {found[0].state}, so it cannot be {event}; look at it again")
    row = changed[0]
    about = {name: getattr(row, name) for name in ("deployment", "monitor", "segment", "source")}
    detail = {
        **{name: value for name, value in about.items() if value is not None},
        "old_state": row.old_state,
        "new_state": row.new_state,
        "has_note": note is not None,
    }
    append(connection, body(f"alert.{event}", f"alert {alert_id}", detail, config_digest=config_digest, by=actor))
    return AlertChange(alert_id=alert_id, old_state=row.old_state, new_state=row.new_state)
