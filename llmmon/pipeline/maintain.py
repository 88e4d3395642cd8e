"""The daily housekeeping: partitions ahead, retention, and windows that nobody will look at any more."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from llmmon.audit.event import body
from llmmon.config import Config
from llmmon.model import Stage
from llmmon.pipeline.decide_batch import discard_batch
from llmmon.store import audit, maintenance
from llmmon.store.coverage import expire_windows
from llmmon.store.database import Database
from llmmon.store.held_batch import held_before

_log = logging.getLogger(__name__)
_DAYS_AHEAD: Final = 7
_STAGES: Final[tuple[Stage, ...]] = ("sample", "replay", "score", "measure")


@dataclass(frozen=True, kw_only=True)
class MaintainResult:
    """What one round of housekeeping did."""

    n_partitions_dropped: int
    n_requests_removed: int
    n_responses_removed: int
    n_scores_removed: int
    n_probes_removed: int
    n_quarantined_removed: int
    n_held_removed: int
    n_sketches_removed: int
    n_reports_removed: int
    n_windows_expired: int


def maintain(database: Database, config: Config, *, now: datetime | None = None) -> MaintainResult:
    """Make partitions ahead, remove what is past its retention, and give up windows that waited too long.

    Parameters
    ----------
    now : datetime or None
        Moment that ages are counted from; the clock's, unless given.
    """
    now = now or datetime.now(UTC)
    kept = config.retention
    cutoff = now - timedelta(days=kept.request_log_days)
    with database.transaction() as connection:
        maintenance.make_partitions(connection, now.date(), _DAYS_AHEAD)
        days = maintenance.partitions_before(connection, cutoff.date())
    n_requests = sum(_drop(database, config, day.isoformat()) for day in days)
    n_held = _discard_held(database, config, now - timedelta(days=kept.quarantine_days))
    with database.transaction() as connection:
        removed = {
            "held": n_held,
            **maintenance.forget_content(connection, cutoff),
            "quarantined": maintenance.forget_quarantine(connection, now - timedelta(days=kept.quarantine_days)),
            "sketches": maintenance.forget_sketches(connection, now - timedelta(days=kept.sketch_days)),
            "reports": maintenance.forget_reports(connection, now - timedelta(days=kept.report_days)),
        }
        if any(removed.values()):
            detail = {f"n_{name}": n for name, n in removed.items()}
            audit.append(connection, body("retention.applied", "database", detail, config_digest=config.digest))
    n_expired = sum(_expire(database, config, deployment, now) for deployment in config.deployments)
    result = MaintainResult(
        n_partitions_dropped=len(days),
        n_requests_removed=n_requests,
        n_responses_removed=removed["responses"],
        n_scores_removed=removed["scores"],
        n_probes_removed=removed["probes"],
        n_quarantined_removed=removed["quarantined"],
        n_held_removed=removed["held"],
        n_sketches_removed=removed["sketches"],
        n_reports_removed=removed["reports"],
        n_windows_expired=n_expired,
    )
    _log.info("housekeeping: %s", result)
    return result


def _drop(database: Database, config: Config, day: str) -> int:
    # a transaction for each day: the lock on the table is short, and what was done stays done
    with database.transaction() as connection:
        n = maintenance.drop_partition(connection, datetime.fromisoformat(day).date())
        detail = {"n_requests": n, "retention_days": config.retention.request_log_days}
        audit.append(connection, body("partition.dropped", f"request_log {day}", detail, config_digest=config.digest))
    return n


def _discard_held(database: Database, config: Config, before: datetime) -> int:
    with database.transaction() as connection:
        waiting = held_before(connection, before)
    because = f"waited longer than retention.quarantine_days = {config.retention.quarantine_days}"
    return sum(discard_batch(database, config, each, because=because, by=None).n_discarded for each in waiting)


def _expire(database: Database, config: Config, deployment: str, now: datetime) -> int:
    before = now - timedelta(hours=config.expire_after_hours)
    n_expired = 0
    for stage in _STAGES:
        with database.transaction() as connection:
            windows = expire_windows(connection, deployment, stage, before=before)
            for window in windows:
                subject = f"deployment {deployment} window {window.key}"
                audit.append(connection, body("window.expired", subject, {"stage": stage}, config_digest=config.digest))
        n_expired += len(windows)
    return n_expired
