"""Certifying a small deployment on a real Postgres: what is large is noticed, nothing is not, and no table changes."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from llmmon.cli import main
from llmmon.config import Config
from llmmon.errors import ConfigError, UnknownPluginError
from llmmon.model import Window
from llmmon.pipeline.certify import certify
from llmmon.pipeline.detect import detect
from llmmon.pipeline.ingest import finish_ingest, ingest_source
from llmmon.pipeline.measure import measure
from llmmon.pipeline.score_responses import score_responses
from llmmon.store.certification import Certification, CertificationResult, quiet_windows
from llmmon.store.database import Database
from tests.conftest import EPOCH

TOML = """
[sources.logs]
read = {type = "openai_jsonl", path = "${here}/*.jsonl*"}
[deployments.assistant]
source = "logs"
reference_windows = 4
active_from = 2023-06-27T05:00:00Z
sample = {per_window = 0}
[deployments.assistant.scorers]
refusal = {judge = "refusal"}
[deployments.assistant.monitors.p50]
metric = {type = "latency_quantile", quantile = 0.5}
segments = ["route"]
min_effect = 20
[deployments.assistant.monitors.refusals]
metric = {type = "score_mean", scorer = "refusal"}
min_effect = 0.1
[deployments.assistant.monitors.ks]
metric = {type = "ks_distance", field = "latency_ms"}
min_effect = 0.1
"""
N_WINDOWS = 8
OWN = "('llmmon.certification', 'llmmon.certification_result', 'llmmon.provenance', 'audit.event', 'audit.pending')"


def load(
    database: Database, config: Config, jsonl: Callable[..., Path], line: Callable[..., dict[str, Any]], n: int
) -> None:
    """Take `n` windows of 30 requests, all alike, from log to evidence."""
    rng = random.Random(3)
    rows = []
    for hour in range(n):
        for index in range(30):
            moment = EPOCH + timedelta(hours=hour, seconds=100 * index)
            refused = rng.random() < 0.1
            row = line(
                1000 * hour + index,
                timestamp=moment.isoformat(),
                route="primes" if index % 3 else "chat",
                latency_ms=rng.gauss(100, 8),
            )
            if refused:
                row["response"]["choices"][0]["message"]["content"] = "I'm sorry, but I can't help with that."
            rows.append(row)
    jsonl(rows)
    ingest_source(database, config, "logs")
    for hour in range(n):
        start = EPOCH + timedelta(hours=hour)
        window = Window(start=start, end=start + timedelta(hours=1))
        finish_ingest(database, config, "assistant", window)
        score_responses(database, config, "assistant", window)
        measure(database, config, "assistant", window)
    detect(database, config, "assistant")


@pytest.fixture
def loaded(
    database: Database, config: Callable[..., Config], jsonl: Callable[..., Path], line: Callable[..., dict[str, Any]]
) -> Config:
    """Return the configuration of a deployment with eight quiet windows."""
    settings = config(TOML)
    load(database, settings, jsonl, line, N_WINDOWS)
    return settings


def run(database: Database, config: Config, *names: str, **changes: Any) -> Certification:
    """Certify with few runs and windows."""
    return certify(database, config, "assistant", fault_names=names, **{"n_runs": 4, "n_watched": 8, **changes})


def row_of(found: Certification, monitor: str, fault: str, size: float) -> CertificationResult:
    """Return one result."""
    (row,) = (row for row in found.results if (row.monitor, row.fault, row.size) == (monitor, fault, size))
    return row


def contents(database: Database) -> dict[str, str]:
    """Return a digest of every table's rows."""
    with database.transaction() as connection:
        names = connection.exec_driver_sql(
            "SELECT name FROM (SELECT format('%%I.%%I', schemaname, tablename) AS name FROM pg_tables"
            f" WHERE schemaname IN ('llmmon', 'audit')) AS tables WHERE name NOT IN {OWN}"
        ).scalars()
        return {
            name: connection.exec_driver_sql(
                f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {name} AS t"
            ).scalar_one()
            for name in names
        }


def count(database: Database, table: str) -> int:
    """Return how many rows a table has."""
    with database.transaction() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


def test_a_large_fault_is_noticed_and_no_fault_is_not(database: Database, loaded: Config) -> None:
    """Latency three times as long is noticed at once in every run; once as long in none, and nothing alarms."""
    found = run(database, loaded, "latency_factor=3", "latency_factor=1")

    assert len(found.windows) == N_WINDOWS
    assert row_of(found, "*", "none", 0.0).n_detected == 0
    large = row_of(found, "p50", "latency_factor", 3.0)
    assert (large.n_runs, large.n_detected, large.share_detected, large.high) == (4, 4, 1.0, 1.0)
    assert large.low == pytest.approx(0.5101, abs=1e-4)  # Wilson's interval of 4 in 4
    assert large.median_delay_windows is not None
    assert large.median_delay_windows <= 4
    assert (large.min_effect, large.unit) == (20, "ms")
    assert row_of(found, "*", "latency_factor", 1.0).n_detected == 0
    assert row_of(found, "p50", "latency_factor", 1.0).n_detected == 0


def test_a_fault_that_nobody_watches_says_so(database: Database, loaded: Config) -> None:
    """No monitor measures tokens or words here: cut answers are not noticed, and the reason is told."""
    (row,) = [row for row in run(database, loaded, "ttft_factor=4").results if row.fault == "ttft_factor"]
    assert (row.monitor, row.n_detected, row.share_detected) == ("*", 0, 0.0)
    assert row.reason == "no monitor measures what this fault changes"


def test_only_monitors_that_are_moved_are_told_of(database: Database, loaded: Config) -> None:
    """Refusals move the refusal monitor and not latency."""
    found = run(database, loaded, "refusal_share=0.9")
    assert {row.monitor for row in found.results if row.fault == "refusal_share"} == {"*", "refusals"}
    assert row_of(found, "refusals", "refusal_share", 0.9).n_detected == 4


def test_the_seed_decides(database: Database, loaded: Config) -> None:
    """One seed gives one result, another seed other windows."""
    first = run(database, loaded, "latency_factor", seed=5)
    assert run(database, loaded, "latency_factor", seed=5) == first
    assert run(database, loaded, "latency_factor", seed=6) != first


def test_nothing_but_the_certification_is_written(database: Database, loaded: Config) -> None:
    """Every other table is as it was, to the bit, also under a configuration that no stage has run with."""
    before = contents(database)
    tables = ("llmmon.provenance", "audit.event", "llmmon.certification")
    counts = [count(database, table) for table in tables]
    found = run(database, loaded.model_copy(update={"digest": "f" * 64}), "latency_factor=3", "error_share=0.5")

    assert contents(database) == before
    assert [count(database, table) for table in tables] == [n + 1 for n in counts]
    assert count(database, "llmmon.certification_result") == len(found.results)
    with database.transaction() as connection:
        kept = connection.exec_driver_sql(
            "SELECT p.kind, p.seed, p.config_digest, p.parameters, c.n_windows, c.n_runs"
            "  FROM llmmon.certification c JOIN llmmon.provenance p USING (provenance_id)"
        ).one()
        event = connection.exec_driver_sql(
            "SELECT event, subject FROM audit.trail ORDER BY event_id DESC LIMIT 1"
        ).one()
    assert tuple(kept) == ("faults", 0, "f" * 64, {"latency_factor": [3.0], "error_share": [0.5]}, N_WINDOWS, 4)
    assert tuple(event) == ("deployment.certified", "deployment assistant")


def test_too_short_a_history_cannot_tell_yet(
    database: Database, config: Callable[..., Config], jsonl: Callable[..., Path], line: Callable[..., dict[str, Any]]
) -> None:
    """Three quiet windows where the monitors learn from four: two more are needed, and no number is given."""
    settings = config(TOML)
    load(database, settings, jsonl, line, 3)
    found = run(database, settings)
    assert (found.n_missing_windows, found.n_runs, list(found.results)) == (2, 0, [])


def test_a_monitor_without_values_cannot_tell_yet(
    database: Database, config: Callable[..., Config], jsonl: Callable[..., Path], line: Callable[..., dict[str, Any]]
) -> None:
    """A detector that learns from 24 windows has 8: it needs 17 more."""
    slow = """
    [deployments.assistant.monitors.p95]
    metric = {type = "latency_quantile", quantile = 0.95}
    detector = {type = "seasonal_change", burn_in = 24}
    min_effect = 20
    """
    settings = config(TOML + slow)
    load(database, settings, jsonl, line, N_WINDOWS)
    row = row_of(run(database, settings, "latency_factor=3"), "p95", "latency_factor", 3.0)
    assert row.share_detected is None
    assert row.reason == "cannot tell yet: needs 17 more quiet windows with a value"


def test_windows_in_an_alert_are_not_learnt_from(database: Database, loaded: Config) -> None:
    """An open alert that began in the sixth window leaves the five before it."""
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "INSERT INTO llmmon.alert (dedupe_key, deployment, monitor, segment, detector, window_start, window_end,"
            " severity, title, sentence, value, e_value, detail, measurement_id, provenance_id)"
            " SELECT 'k', deployment, monitor, segment, 'd', window_start, window_end, 'warning', 't', 's', 1, 1,"
            ' \'{"likeliest_start": "2023-06-27T10:00:00"}\', measurement_id, provenance_id'
            "   FROM llmmon.measurement WHERE window_start = '2023-06-27T11:00Z' LIMIT 1"
        )
        found = quiet_windows(connection, "assistant", length=timedelta(hours=1), limit=100)
    assert [window.start.hour for window in found] == [5, 6, 7, 8, 9]


@pytest.mark.parametrize("name", ["latency_factor=slow", "latency_factor=-1"])
def test_a_size_that_is_none_is_told(database: Database, loaded: Config, name: str) -> None:
    """A size is a number that the fault takes."""
    with pytest.raises(ConfigError, match=r"^certify: .*latency_factor="):
        run(database, loaded, name)


def test_an_unknown_fault_is_told(database: Database, loaded: Config) -> None:
    """The names there are are listed."""
    with pytest.raises(UnknownPluginError, match="no 'gremlins'; there are: answer_swap, "):
        run(database, loaded, "gremlins")


def test_the_verb_prints_a_table_and_the_view_shows_it_again(
    database: Database, loaded: Config, tmp_path: Path
) -> None:
    """`llmmon certify` says who noticed what, and `llmmon query detection_power` has the same numbers."""
    place = ["--database", database.url.render_as_string(hide_password=False)]
    arguments = ["assistant", "--faults", "latency_factor=3, ttft_factor=2", "--windows", "8", "--runs", "4", *place]
    settings = ["--config", str(tmp_path / "llmmon.toml")]
    told = CliRunner().invoke(main, ["certify", *arguments, *settings])
    assert told.exit_code == 0, told.output
    assert "learnt from 8 quiet windows, 2023-06-27 05:00 to 2023-06-27 13:00 UTC" in told.stdout
    assert "without a fault: 0 of 4 runs alarmed" in told.stdout
    assert "no monitor measures what this fault changes" in told.stdout
    lines = [line.split() for line in told.stdout.splitlines()]
    assert ["latency_factor", "3", "times", "100%"] in [line[:4] for line in lines]

    as_json = CliRunner().invoke(main, ["certify", *arguments, *settings, "--json"])
    results = json.loads(as_json.stdout)["results"]
    shown = json.loads(CliRunner().invoke(main, ["query", "detection_power", "--json", *place]).stdout)
    assert [row["share_detected"] for row in shown] == [row["share_detected"] for row in results]
    assert {row["smallest_size_noticed"] for row in shown if row["monitor"] == "p50" and row["fault"] != "none"} == {
        3.0
    }


def test_results_are_json(database: Database, loaded: Config) -> None:
    """What is stored holds no NaN."""
    found = run(database, loaded, "missing_scores", n_runs=2, n_watched=3)
    json.dumps([dataclasses.asdict(row) for row in found.results], allow_nan=False)
    assert {row.monitor for row in found.results if row.fault == "missing_scores"} == {"*", "refusals"}
