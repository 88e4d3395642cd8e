"""The DAGs run, over a real Postgres: a window end to end, a window nobody watches, and what was missed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from llmmon.config import Config
from llmmon.model import Window
from llmmon.pipeline.decide_batch import release_batch
from llmmon.pipeline.ingest import ingest_source
from llmmon.pipeline.score_responses import score_responses
from llmmon.store.database import Database
from tests.conftest import SMALL_TOML

LIFE = """
active_from = 2023-06-27T05:00:00Z
active_until = 2023-06-27T07:00:00Z
sample = {per_window = 0}
[deployments.assistant.scorers]
words = {judge = "length"}
[deployments.assistant.monitors.answer-length]
metric = {type = "score_mean", scorer = "words"}
min_effect = 5
[retention]
request_log_days = 36500
"""


def test_windows_go_through_the_dags(
    airflow: Callable[..., Any],
    config: Callable[..., Config],
    jsonl: Callable[..., Path],
    line: Callable[..., dict[str, Any]],
    database: Database,
    tmp_path: Path,
) -> None:
    """A window goes from log to measurement, one outside the lifetime is skipped, maintain emits the missed one."""
    config(SMALL_TOML + LIFE)
    jsonl([line(index * 60) for index in range(110)])
    place = {
        "LLMMON_DATABASE_URL": database.url.render_as_string(hide_password=False),
        "LLMMON_CONFIG": str(tmp_path / "llmmon.toml"),
    }
    window = "2023-06-27T05:00:00"
    seen = airflow(
        "run_dags.py",
        f"ingest={window}",
        f"replay={window}",
        f"measure={window}",
        "ingest=2023-06-27T09:00:00",
        **place,
    )["ended"]
    assert seen[f"ingest={window}"] == {"run": "success", "load": "success", "close": "success"}
    assert seen[f"measure={window}"] == {"run": "success", "score": "success", "measure": "success"}
    assert seen["ingest=2023-06-27T09:00:00"]["close"] == "skipped"
    with database.transaction() as connection:
        done = connection.exec_driver_sql(
            "SELECT stage, n_requests FROM llmmon.window_stage WHERE window_start = '2023-06-27T05:00Z' ORDER BY 1"
        ).all()
        assert done == [("ingest", 60), ("measure", 60), ("replay", 60), ("sample", 60), ("score", 60)]
        connection.exec_driver_sql("UPDATE llmmon.ingest_batch SET loaded_at = loaded_at - interval '1 hour'")

    missed = airflow("run_dags.py", "maintain", **place)
    assert missed["ended"]["maintain"]["reconcile"] == "success"
    assert missed["keys"] == ["2023-06-27T06:00:00"]


def test_a_held_batch_is_told_by_the_task_that_held_it(
    airflow: Callable[..., Any],
    config: Callable[..., Config],
    jsonl: Callable[..., Path],
    line: Callable[..., dict[str, Any]],
    database: Database,
    tmp_path: Path,
) -> None:
    """The window closes without the held rows, and the alert is sent; a source that may not be read on fails; a release
    makes the window due again.
    """
    gate = "[sources.logs.gate]\nmax_bad_fraction = 0.1\nmax_held_batches = 2\n"
    toml = SMALL_TOML.replace("[sources.logs.gate]\nmax_bad_fraction = 1.0\n", gate)
    settings = config(toml + LIFE + '[channels]\nlog = "log"\n')
    place = {
        "LLMMON_DATABASE_URL": database.url.render_as_string(hide_password=False),
        "LLMMON_CONFIG": str(tmp_path / "llmmon.toml"),
    }
    window = "2023-06-27T05:00:00"
    jsonl([line(0), "broken", line(1)], name="a.jsonl")
    held = airflow("run_dags.py", f"ingest={window}", **place)["ended"][f"ingest={window}"]
    assert held == {"run": "success", "load": "success", "close": "success"}
    jsonl(["broken too"], name="b.jsonl")
    stopped = airflow("run_dags.py", f"ingest={window}", **place)["ended"][f"ingest={window}"]
    assert stopped == {"run": "failed", "load": "failed", "close": "upstream_failed"}
    with database.transaction() as connection:
        sent = "SELECT d.state, a.severity FROM llmmon.delivery d JOIN llmmon.alert a USING (alert_id)"
        assert connection.exec_driver_sql(sent).all() == [("sent", "critical")] * 2
        counted = "SELECT n_requests, state FROM llmmon.window_stage WHERE stage = 'ingest'"
        assert connection.exec_driver_sql(counted).all() == [(0, "done")]

    release_batch(database, settings, 1, because="one torn line", by="Mira")
    with database.transaction() as connection:
        assert connection.exec_driver_sql(counted).all() == [(0, "dirty")]


def test_people_are_asked_without_texts_and_only_an_answer_is_a_label(
    airflow: Callable[..., Any],
    config: Callable[..., Config],
    jsonl: Callable[..., Path],
    line: Callable[..., dict[str, Any]],
    database: Database,
    tmp_path: Path,
) -> None:
    """Three items are drawn and asked about by number; a yes is kept, silence and a default leave their items open."""
    life = LIFE.replace('words = {judge = "length"}', 'words = {judge = "length"}\nrefusal = {judge = "refusal"}')
    settings = config(SMALL_TOML + life + "[deployments.assistant.review.refusal]\nper_draw = 3\n")
    jsonl([line(index) for index in range(20)])
    ingest_source(database, settings, "logs")
    score_responses(database, settings, "assistant", Window.parse("2023-06-27T05:00", hours=1))
    place = {
        "LLMMON_DATABASE_URL": database.url.render_as_string(hide_password=False),
        "LLMMON_CONFIG": str(tmp_path / "llmmon.toml"),
    }
    seen = airflow("run_review.py", **place)
    assert seen["states"]["draw -1"] == seen["states"]["judge_anchors -1"] == "success"
    assert sum(name.startswith("ask ") for name in seen["states"]) == 3
    assert len(seen["questions"]) == 3
    assert "prime" not in str(seen["questions"])
    with database.transaction() as connection:
        kept = connection.exec_driver_sql("SELECT review_item_id, reviewer, label FROM llmmon.review").all()
        assert kept == [(seen["questions"][0]["item"], "mira", 1)]
        who = connection.exec_driver_sql("SELECT actor FROM audit.trail WHERE event = 'review.given'").scalars().all()
        assert who == ["mira"]
