"""The alert of a source: opened when a batch is held, brought up to date, resolved when nothing is held any more."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from llmmon.audit.event import actor, body
from llmmon.config import Config
from llmmon.model import Window
from llmmon.pipeline.change_alert import change_alert_within
from llmmon.store import audit
from llmmon.store.coverage import GRID
from llmmon.store.held_batch import Standing, standing
from llmmon.store.source_alert import SourceAlert, open_source_alert, unresolved, update_source_alert

_log = logging.getLogger(__name__)


def may_read(config: Config, source: str, held: Standing) -> bool:
    """Return whether `source` may be read on: so many held batches say that its log or its gate is wrong."""
    settings = config.sources.get(source)  # a batch can outlive its source in llmmon.toml
    return settings is None or held.n_batches < settings.gate.max_held_batches


def tell_held(connection: Connection, config: Config, source: str, failures: Sequence[str]) -> Standing:
    """Tell the channels of `source` that a batch was just held, once until all is decided and once more at the limit.

    Parameters
    ----------
    connection : Connection
        Inside the transaction that holds the batch.
    failures : sequence of str
        Why its gate failed.
    """
    held = standing(connection, source)
    alert = _alert(config, source, held, failures)
    chosen = config.sources[source].channels
    channels = tuple(config.channels) if chosen is None else chosen
    known = unresolved(connection, source)
    detail = {"source": source, **alert.detail, "channels": list(channels)}
    if known is None:
        alert_id = open_source_alert(connection, alert, batch_id=held.batch_ids[-1], actor=actor(), channels=channels)
        event = "alert.opened"
    else:
        alert_id, event = known.alert_id, "alert.escalated"
        has_stopped = alert.detail["has_stopped"] and not known.detail["has_stopped"]
        update_source_alert(connection, known, alert, tell_again=channels if has_stopped else ())
        if not has_stopped:
            return held
    audit.append(connection, body(event, f"alert {alert_id}", detail, config_digest=config.digest))
    _log.warning("alert %s: %s", alert_id, alert.sentence)
    return held


def tell_decided(connection: Connection, config: Config, source: str, *, by: str, because: str) -> None:
    """Resolve the alert of `source` after the last decision on its held batches; before that bring it up to date."""
    known = unresolved(connection, source)
    if known is None:  # somebody resolved it by hand
        return
    held = standing(connection, source)
    if held.n_batches:
        update_source_alert(connection, known, _alert(config, source, held, known.detail["failures"]))
        return
    change_alert_within(connection, known.alert_id, "resolved", actor=by, note=because, config_digest=config.digest)


def _alert(config: Config, source: str, held: Standing, failures: Sequence[str]) -> SourceAlert:
    has_stopped = not may_read(config, source, held)
    batches = "1 batch" if held.n_batches == 1 else f"{held.n_batches:,} batches"
    since = held.since or datetime.now(UTC)
    more = "" if len(failures) == 1 else f" (and {len(failures) - 1} more)"
    goes_on = (
        f"Nothing more is read of this source: at most {held.n_batches} may wait"
        if has_stopped
        else "What comes after is read and loaded"
    )
    return SourceAlert(
        source=source,
        window=_window(held, since, config.window_length),
        severity="critical" if has_stopped else "warning",
        title=f"source {source}: {'reading stopped, ' if has_stopped else ''}{batches} held back by the gate",
        sentence=(
            f"Source {source}: {batches} of {held.n_rows:,} rows held back since {since:%H:%M} UTC on {since.day} "
            f"{since:%B %Y}, the newest because {failures[0]}{more}. {goes_on}. `llmmon batch list "
            f"--source {source}` shows them; each waits for a person to release or discard it."
        ),
        detail={
            "n_batches": held.n_batches,
            "n_rows": held.n_rows,
            "batch_ids": list(held.batch_ids),
            "failures": list(failures),
            "has_stopped": has_stopped,
        },
    )


def _window(held: Standing, since: datetime, length: timedelta) -> Window:
    """Return the whole windows that the held rows are of; when none can be read, the one in which they came."""
    first, last = held.first_occurred_at or since, held.last_occurred_at or since
    start = first - (first - GRID) % length
    return Window(start=start, end=last - (last - GRID) % length + length)
