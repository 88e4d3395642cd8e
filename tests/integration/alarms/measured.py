"""A deployment whose windows are measured with given values, without requests: what detection reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from llmmon.config import Config, load_config
from llmmon.model import Estimate, Measurement, Provenance, Window
from llmmon.store.coverage import close_stage, lock_accounts
from llmmon.store.database import Database
from llmmon.store.measurement import keep_measurement
from llmmon.store.provenance import remember

START = datetime(2023, 6, 27, 5, tzinfo=UTC)
CALM = [0.017, 0.02, 0.012, 0.018, 0.016]
TOML = """
window_hours = 1
alpha = 0.05
ui_url = "http://llmmon.test"
[sources.logs]
read = {type = "openai_jsonl", path = "${here}/*.jsonl"}
[channels]
slack = {type = "slack_webhook", connection = "llmmon_slack"}
email = {type = "email", connection = "llmmon_smtp", to = ["on-call@example.com"]}
[deployments.survey]
source = "logs"
reference_windows = 5
active_from = 2023-06-27T05:00:00Z
[deployments.survey.scorers.refusal]
judge = "refusal"
[deployments.survey.monitors.refusal-rate]
metric = {type = "score_mean", scorer = "refusal"}
min_effect = 0.1
severity = "critical"
channels = ["slack", "email"]
[deployments.survey.monitors.latency]
metric = {type = "latency_quantile", quantile = 0.5}
min_effect = 1000
channels = ["slack"]
"""


def small_config(folder: Path) -> Config:
    """Return a configuration of one deployment with two monitors and two channels."""
    path = folder / "llmmon.toml"
    path.write_text(TOML, "utf-8")
    return load_config(path)


def window(hour: int) -> Window:
    """Return the window `hour` hours after the first."""
    return Window(start=START + timedelta(hours=hour), end=START + timedelta(hours=hour + 1))


def load_windows(database: Database, n: int) -> None:
    """Close the ingest stage of the first `n` windows: they are known, as they are once their requests are loaded."""
    with database.transaction() as connection:
        for hour in range(n):
            close_stage(connection, "survey", window(hour), "ingest", [])


def measure_window(database: Database, hour: int, values: Mapping[str, float | None], *, segment: str = "all") -> None:
    """Store one window's measurements and close its measure stage, in one transaction."""
    with database.transaction() as connection:
        lock_accounts(connection, ["survey"], shared=False)
        provenance = Provenance(kind="metrics", plugin="given", parameters={}, code_version="0", config_digest="")
        number = remember(connection, provenance)
        for monitor, value in values.items():
            estimate = (
                Estimate.absent("no requests")
                if value is None
                else Estimate(value=value, n=108, low=value - 0.01, high=value + 0.01)
            )
            unit = "ms" if monitor == "latency" else "0/1"
            item = Measurement(
                deployment="survey", monitor=monitor, segment=segment, window=window(hour), estimate=estimate, unit=unit
            )
            keep_measurement(connection, item, number)
        close_stage(connection, "survey", window(hour), "measure", [])


def measure_windows(database: Database, values: Sequence[float | None], *, monitor: str = "refusal-rate") -> None:
    """Store one window after the other for one monitor."""
    for hour, value in enumerate(values):
        measure_window(database, hour, {monitor: value})


def tables(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Return what detection wrote, without numbers and clock times that differ from run to run."""
    queries = {
        "evidence": "SELECT monitor, segment, window_start, detector, e_value, relevant, value, reference_value,"
        " effect, reason, detail FROM llmmon.evidence ORDER BY 1, 2, 3",
        "state": "SELECT monitor, segment, state, window_start, e_value, reason, first_window_start, restarts,"
        " memory ->> -1 FROM llmmon.stream_state ORDER BY 1, 2",
        "budget": "SELECT window_start, alpha, n_streams, n_learning, n_alarmed, largest_e, threshold_e"
        " FROM llmmon.alarm_budget ORDER BY 1",
        "alert": "SELECT dedupe_key, monitor, segment, window_start, severity, state, title, sentence, value,"
        " reference_value, e_value, detail FROM llmmon.alert ORDER BY 1",
        "delivery": "SELECT dedupe_key, channel, state, n_attempts FROM llmmon.delivery ORDER BY 1",
        "stage": "SELECT window_start, stage, state, reason FROM llmmon.window_stage ORDER BY 1, 2",
        "opened": "SELECT count(*) FROM audit.trail WHERE event = 'alert.opened'",
    }
    with database.transaction() as connection:
        return {
            name: [tuple(row) for row in connection.exec_driver_sql(query).all()] for name, query in queries.items()
        }
