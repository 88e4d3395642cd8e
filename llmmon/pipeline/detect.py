"""Detect: advance every stream of a deployment over the finished windows, spend the error budget, open alerts.

What is written is a pure function of the latest measurements, of which windows were given up, of which alerts people
resolved, and of the rules: as if everything were judged again from the first window on. So the final tables do not
depend on the order in which windows finished, on how often this ran, or on who ran it at the same time. To have that
without judging everything again, `advance_streams` reads only what is new or changed, and the budget's line of a window
is decided again only where what it depends on changed: the evidence of the streams at that window, how many streams had
a window by then, alpha.

Windows are judged as far as none before them is missing. While a window that was judged has to be measured again,
nothing is judged.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from llmmon.audit.event import body
from llmmon.config import Config
from llmmon.pipeline.advance_streams import Advanced, advance_streams
from llmmon.pipeline.judge import Spending, n_known_by, spend
from llmmon.pipeline.open_alert import Alarm, open_alert
from llmmon.pipeline.watches import Watch, watches_of
from llmmon.store import alert as alerts
from llmmon.store import audit
from llmmon.store.coverage import StageCount, close_stage, lock_accounts
from llmmon.store.database import Database
from llmmon.store.detection import (
    FinishedWindow,
    FirstWindow,
    Mark,
    finished_windows,
    first_window,
    forget_streams,
    keep_mark,
    keep_streams,
    mark_of,
)
from llmmon.store.evidence import evidence_of_windows, keep_budget
from llmmon.store.measurement import measurement_of

log = logging.getLogger(__name__)
_WINDOWS_AT_ONCE: Final = 100


@dataclass(frozen=True, kw_only=True)
class DetectResult:
    """What one run of detection saw and did.

    Parameters
    ----------
    n_windows, n_new_windows : int
        Finished windows without a gap, and how many of them were accounted for now.
    n_streams, n_changed : int
        Streams known, and rows of evidence that are new, different or gone.
    n_alerts : int
        Alerts opened now.
    """

    n_windows: int = 0
    n_new_windows: int = 0
    n_streams: int = 0
    n_changed: int = 0
    n_alerts: int = 0


def detect(database: Database, config: Config, deployment: str) -> DetectResult:
    """Judge every stream of `deployment` over its finished windows and open the alerts that follow.

    Parameters
    ----------
    database : Database
        Where measurements are read, and evidence, budget, alerts and deliveries are written: in one transaction.
    config : Config
        Whole configuration.
    deployment : str
        Name of a deployment in `config`.

    Raises
    ------
    ConfigError
        When a detector refuses its parameters.
    """
    started = time.monotonic()
    active_from = config.deployments[deployment].active_from
    with database.transaction() as connection:
        # one detection at a time, and no row comes late between reading measurements and closing the account
        lock_accounts(connection, [deployment], shared=False)
        watches = watches_of(connection, config, deployment)
        first = first_window(connection, deployment, length=config.window_length, active_from=active_from)
        result = DetectResult() if first is None else _detect(connection, config, deployment, watches, first)
    log.info(
        "%s: %d streams over %d windows (%d new), %d rows of evidence changed, %d alerts, in %.1f s",
        deployment,
        result.n_streams,
        result.n_windows,
        result.n_new_windows,
        result.n_changed,
        result.n_alerts,
        time.monotonic() - started,
    )
    return result


def _detect(
    connection: Connection, config: Config, deployment: str, watches: Mapping[str, Watch], first: FirstWindow
) -> DetectResult:
    length, settings = config.window_length, config.deployments[deployment]
    alpha = config.alpha if settings.alpha is None else settings.alpha
    rules = {
        "window_hours": config.window_hours,
        "alpha": alpha,
        "monitors": {name: watch.digest for name, watch in watches.items()},
    }
    stored = mark_of(connection, deployment)
    begins = {"first_start": first.start, "window_hours": config.window_hours}
    goes_on = stored is not None and begins == {
        "first_start": stored.first_start,
        "window_hours": stored.rules["window_hours"],
    }
    mark = (
        stored
        if stored is not None and goes_on
        else Mark(
            first_start=first.start, judged_until=first.start, measurement_change_id=0, stage_change_id=0, rules={}
        )
    )
    finished = finished_windows(connection, deployment, mark, length=length, active_until=settings.active_until)
    until = max([mark.judged_until, *(item.window.end for item in finished)])
    until = until if first.unfinished_start is None else min(until, first.unfinished_start)
    if stored is not None and until < stored.judged_until:
        return DetectResult(n_windows=(until - first.start) // length)

    decided = alerts.episodes(connection, deployment)
    advanced = advance_streams(
        connection, deployment, watches, mark, until=until, length=length, restarts=decided.learn_again_after
    )
    new = mark.judged_until
    if mark.rules.get("alpha") != alpha or set(mark.rules.get("monitors", ())) != set(watches):
        new = first.start
    new = min(new, advanced.known_from or new)
    starts = {*advanced.changed_windows, *(new + i * length for i in range((until - new) // length))}
    alarmed = set(decided.dedupe_keys)
    n_alerts = _decide(connection, config, deployment, watches, advanced, sorted(starts), alpha, alarmed)
    _keep_streams(connection, deployment, advanced, alarmed)
    to_close = [item for item in finished if not item.is_closed and item.window.start < until]
    for item in to_close:
        _close(connection, deployment, item)
    judged = Mark(
        first_start=first.start,
        judged_until=until,
        measurement_change_id=first.measurement_change_id,
        stage_change_id=first.stage_change_id,
        rules=rules,
    )
    if judged != stored:
        keep_mark(connection, deployment, judged)
    result = DetectResult(
        n_windows=(until - first.start) // length,
        n_new_windows=len(to_close),
        n_streams=sum(bool(stream.memory) for stream in advanced.streams.values()),
        n_changed=advanced.n_changed,
        n_alerts=n_alerts,
    )
    if to_close or result.n_changed or n_alerts:
        last = until - length if until > first.start else None
        detail = {**asdict(result), "until": last and f"{last:%Y-%m-%dT%H:%M:%S}"}
        fact = body("streams.judged", f"deployment {deployment}", detail, config_digest=config.digest)
        audit.append(connection, fact)
    return result


def _decide(
    connection: Connection,
    config: Config,
    deployment: str,
    watches: Mapping[str, Watch],
    advanced: Advanced,
    starts: list[datetime],
    alpha: float,
    alarmed: set[str],
) -> int:
    """Decide on the windows that begin at `starts`, add the episodes that alarm to `alarmed`, return alerts opened."""
    firsts = sorted(stream.first_window_start for stream in advanced.streams.values() if stream.first_window_start)
    n_alerts = 0
    for chunk in _chunks(starts):
        found = evidence_of_windows(connection, deployment, chunk, list(watches))
        lines = []
        for start in chunk:
            e_values = {key: row.evidence.e_value for key, row in found[start].items()}
            spending = spend(start, e_values, alpha=alpha, n_known=n_known_by(firsts, start))
            lines.append(_line(spending))
            for key in spending.rejected:
                row, watch = found[start][key], watches[key[0]]
                dedupe_key = alerts.episode_key(deployment, *key, advanced.streams[key].episode_of(start))
                if row.evidence.relevant and dedupe_key not in alarmed:
                    alarmed.add(dedupe_key)
                    alarm = Alarm(
                        dedupe_key=dedupe_key,
                        measurement=measurement_of(connection, deployment, row.measurement_id),
                        evidence=row.evidence,
                        monitor=watch.settings,
                        detector_name=watch.detector_name,
                        provenance_id=watch.provenance_id,
                    )
                    open_alert(connection, config, alarm, spending)
                    n_alerts += 1
        keep_budget(connection, deployment, lines)
    return n_alerts


def _chunks(starts: list[datetime]) -> list[list[datetime]]:
    return [starts[i : i + _WINDOWS_AT_ONCE] for i in range(0, len(starts), _WINDOWS_AT_ONCE)]


def _line(spending: Spending) -> dict[str, Any]:
    line = dataclasses.asdict(spending)
    del line["rejected"]
    return {**line, "window_start": spending.window_start.isoformat()}


def _keep_streams(connection: Connection, deployment: str, advanced: Advanced, alarmed: set[str]) -> None:
    rows, gone = [], []
    for key, stream in advanced.streams.items():
        if not stream.memory:
            gone.append(key)
            continue
        last = stream.memory[-1]
        if alerts.episode_key(deployment, *key, last.episode) in alarmed:
            state = "alarmed"
        else:
            state = "watching" if last.is_tested else "learning"
        if key in advanced.touched or state != stream.stored_state:
            rows.append({"monitor": key[0], "segment": key[1], "state": state, **stream.as_row()})
    keep_streams(connection, deployment, rows)
    forget_streams(connection, deployment, gone)


def _close(connection: Connection, deployment: str, finished: FinishedWindow) -> None:
    n, reason = finished.n_requests, finished.expired_because
    if reason is None:
        close_stage(connection, deployment, finished.window, "detect", [StageCount("done", n)] if n else [])
        return
    counts = [StageCount("expired", n, reason)] if n else []
    close_stage(connection, deployment, finished.window, "detect", counts, state="expired", reason=reason)
