"""Evidently's report of one window against the reference windows, for people to read.

It is a picture of the data, not a source of alarms: those come from measurements and detectors.
"""

from __future__ import annotations

import logging
import math
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from llmmon.audit.event import body
from llmmon.config import Config
from llmmon.errors import LlmmonError
from llmmon.metrics.base import WindowData
from llmmon.model import LOGGED, Segment, Window
from llmmon.pipeline.reference import reference_windows
from llmmon.pipeline.segments import select
from llmmon.store import audit
from llmmon.store.database import Database
from llmmon.store.frames import load_frames
from llmmon.store.measurement import reference_state
from llmmon.store.report import keep_report, read_report

if TYPE_CHECKING:
    import pandas

log = logging.getLogger(__name__)

_NUMBERS: Final = ("latency_ms", "ttft_ms", "n_input_tokens", "n_output_tokens", "cost_usd", "feedback")
_CATEGORIES: Final = ("route", "model", "language", "status")
_MAX_CATEGORIES: Final = 30
_MIN_ROWS: Final = 5


@dataclass(frozen=True, kw_only=True)
class ReportResult:
    """What rendering a report gave.

    Parameters
    ----------
    is_rendered : bool
        False where the window has too few requests for a report.
    n_requests, n_reference : int
        Rows of the window and of the reference windows it is compared with; 0 while the reference is not complete.
    columns : tuple of str
        Columns in the report.
    """

    is_rendered: bool
    n_requests: int
    n_reference: int
    columns: tuple[str, ...]


def render_report(database: Database, config: Config, deployment: str, window: Window) -> ReportResult:
    """Render the report of `window` and keep it; rendered again it replaces the earlier one."""
    started = time.monotonic()
    settings = config.deployments[deployment]
    sampled = {name for name, scorer in settings.scorers.items() if scorer.scope == "sample"}
    with database.transaction() as connection:
        frames = load_frames(connection, deployment, window, sampled_scorers=sampled)
        current = _table(select(frames, [window], Segment()))
        reference = None
        windows = reference_windows(connection, config, deployment)
        others = [item for item in windows if item != window]
        n_ready, _ = reference_state(connection, deployment, windows, config.window_length)
        if others and n_ready == len(windows):
            span = Window(start=windows[0].start, end=windows[-1].end)
            frames = load_frames(connection, deployment, span, sampled_scorers=sampled)
            reference = _table(select(frames, others, Segment()))
    if len(current) < _MIN_ROWS:
        return ReportResult(is_rendered=False, n_requests=len(current), n_reference=0, columns=())
    columns = _usable(current, reference)
    snapshot = _run(current, reference, columns)
    result = ReportResult(
        is_rendered=True,
        n_requests=len(current),
        n_reference=0 if reference is None else len(reference),
        columns=tuple(columns),
    )
    with database.transaction() as connection:
        keep_report(connection, deployment, window, summary=asdict(result), snapshot=snapshot)
        subject = f"deployment {deployment} window {window.key}"
        audit.append(connection, body("report.rendered", subject, asdict(result), config_digest=config.digest))
    log.info(
        "%s %s: report over %d columns in %.1f s", deployment, window.key, len(columns), time.monotonic() - started
    )
    return result


def report_html(database: Database, deployment: str, window: Window) -> str:
    """Return the report of `window` as one self-contained HTML page.

    Raises
    ------
    LlmmonError
        When the window has no report.
    """
    with database.transaction() as connection:
        snapshot = read_report(connection, deployment, window)
    if snapshot is None:
        raise LlmmonError(
            f"{deployment} {window.key}: no report; the maintain DAG renders those of measured windows with at least "
            f"{_MIN_ROWS} requests"
        )
    with _quiet():
        from evidently.core.report import Snapshot

        return str(Snapshot.loads(snapshot).get_html_str(as_iframe=False))


def _table(data: WindowData) -> pandas.DataFrame:
    """Return one row per request: what was logged, and one column per scorer of the logged responses."""
    requests = data.requests.set_index("request_key")
    table = requests[[*_NUMBERS, *_CATEGORIES]].copy()
    for name in _NUMBERS[:2]:
        table[name] = table[name].where(requests["status"] == "ok")
    for category in _CATEGORIES:
        table[category] = table[category].map(_harmless, na_action="ignore")
    for field, label in (("prompt", "prompt words"), ("response_text", "answer words")):
        table[label] = requests[field].map(lambda text: float(len(text.split())), na_action="ignore").astype(float)
    logged = data.scores[(data.scores["lane"] == LOGGED) & data.scores["value"].notna()]
    for scorer, rows in logged.groupby("scorer", sort=True):
        table[f"score: {scorer}"] = rows.set_index("request_key")["value"].reindex(table.index)
    return table


def _harmless(value: str) -> str:
    # the page holds its data inside a script element, which a value must not be able to close
    return value.replace("<", "\u2039").replace(">", "\u203a").replace("&", "+")[:80]


def _usable(current: pandas.DataFrame, reference: pandas.DataFrame | None) -> list[str]:
    """Return the columns that both sides have enough values of."""
    sides = [current] if reference is None else [current, reference]
    return [
        name
        for name in current.columns
        if all(name in side and side[name].notna().sum() >= _MIN_ROWS for side in sides)
        and (name not in _CATEGORIES or all(side[name].nunique() <= _MAX_CATEGORIES for side in sides))
    ]


def _run(current: pandas.DataFrame, reference: pandas.DataFrame | None, columns: list[str]) -> str:
    with _quiet():
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset, DataSummaryPreset

        definition = DataDefinition(
            numerical_columns=[name for name in columns if name not in _CATEGORIES],
            categorical_columns=[name for name in columns if name in _CATEGORIES],
        )
        now, before = (
            None
            if side is None
            else Dataset.from_pandas(side[columns].reset_index(drop=True), data_definition=definition)
            for side in (current, reference)
        )
        parts: list[Any] = [DataSummaryPreset(columns=columns)]
        if before is not None:
            # the headline says "detected" when any column drifted, at 5% over all of them: Evidently's own rule, half
            # of the columns at 5% each, calls it no drift when answers shrink to one word
            n = max(1, len(columns))
            parts.insert(
                0,
                DataDriftPreset(
                    columns=columns,
                    drift_share=math.floor(100 / n) / 100,
                    num_method="ks",
                    num_threshold=0.05 / n,
                    cat_method="jensenshannon",
                ),
            )
        return str(Report(parts).run(now, before).dumps())


@contextmanager
def _quiet() -> Iterator[None]:
    """Switch Evidently's telemetry off before its import, and keep the warnings of its arithmetic out of the log."""
    os.environ["DO_NOT_TRACK"] = "1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
