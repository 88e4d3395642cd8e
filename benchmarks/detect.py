"""One more window of a deployment: going on from where its streams stood, beside folding them from the first window."""

from __future__ import annotations

import logging
import random
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.result import Result, Row, best_seconds
from llmmon.config import Config, load_config
from llmmon.pipeline.detect import detect
from llmmon.store.database import Database
from llmmon.store.migrate import upgrade
from llmmon.store.scratch import scratch_server

SUMMARY = "seconds that one more window takes to judge, with a short and a long history; the fold from the first window"

START = datetime(2023, 1, 1, tzinfo=UTC)
_TOML = """
[sources.logs]
read = {type = "openai_jsonl", path = "none.jsonl"}
[deployments.shop]
source = "logs"
active_from = 2023-01-01T00:00:00Z
[deployments.shop.monitors.volume]
metric = "volume"
detector = {type = "slo_threshold", limit = 420, worse = "above"}
min_effect = 10
"""
# one window's measurements of every stream and its closed stage, as the measure stage leaves them
_WINDOW = """
WITH made AS (
  INSERT INTO llmmon.measurement (deployment, monitor, segment, window_start, window_end, value, low, high, n, unit,
                                  provenance_id)
  SELECT 'shop', 'volume', 'route=' || stream, start, start + interval '1 hour', value, value - 4, value + 4, 100,
         'requests', %(provenance)s
    FROM generate_series(%(first)s::timestamptz, %(last)s::timestamptz, interval '1 hour') AS start,
         generate_series(1, %(streams)s) AS stream,
         LATERAL (SELECT 400 + 5 * (random() + random() + random() + random() - 2) + 0 * stream AS value) AS drawn
)
INSERT INTO llmmon.window_stage (deployment, window_start, window_end, stage, state, n_requests)
SELECT 'shop', start, start + interval '1 hour', 'measure', 'done', 0
  FROM generate_series(%(first)s::timestamptz, %(last)s::timestamptz, interval '1 hour') AS start
"""


def run(streams: int = 200, short: int = 100, long: int = 10_000, rounds: int = 5, seed: int = 29) -> Result:
    """Judge one more window after histories of two lengths.

    Parameters
    ----------
    streams : int
        Of one deployment.
    short, long : int
        Windows judged before.
    rounds : int
        Windows added; the best counts.
    seed : int
        Of the measurements, which are noise around one level.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("llmmon").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, scratch_server() as url:
        upgrade(url)
        path = Path(folder) / "llmmon.toml"
        path.write_text(_TOML, "utf-8")
        config, database = load_config(path), Database(url)
        history = _History(database, config, streams, seed)
        rows = []
        for size in (short, long):
            history.grow(size - history.n_windows)
            history.forget()
            whole = best_seconds(history.judge, rounds=1)
            rows.append(Row(way=f"all {size:,} from the first", value=whole, note="every stream is folded anew"))
            seconds = best_seconds(history.judge, rounds=rounds, before=lambda: history.grow(1))
            rows.append(Row(way=f"one more after {size:,}", value=seconds, note="streams go on from where they stood"))
        database.engine.dispose()
    return Result(
        unit="seconds",
        rows=rows,
        reference=f"one more after {short:,}",
        higher_is_better=False,
        settings={"streams": streams, "short": short, "long": long, "rounds": rounds, "seed": seed},
    )


class _History:
    """A deployment whose measurements grow by whole windows."""

    def __init__(self, database: Database, config: Config, streams: int, seed: int) -> None:
        self.database, self.config, self.streams, self.n_windows = database, config, streams, 0
        self.seeds = random.Random(seed)
        with database.transaction() as connection:
            self.provenance = connection.exec_driver_sql(
                "INSERT INTO llmmon.provenance (digest, kind, plugin, parameters, code_version, config_digest)"
                " VALUES ('x', 'metrics', 'given', '{}', '0', '') RETURNING provenance_id"
            ).scalar()

    def grow(self, n: int) -> None:
        first = START + self.n_windows * timedelta(hours=1)
        given = {
            "provenance": self.provenance,
            "streams": self.streams,
            "first": first,
            "last": first + (n - 1) * timedelta(hours=1),
        }
        with self.database.transaction() as connection:
            connection.exec_driver_sql("SELECT setseed(%s)", (self.seeds.random(),))
            connection.exec_driver_sql(_WINDOW, given)
        if n > 1:
            with self.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM ANALYZE")
        self.n_windows += n

    def forget(self) -> None:
        """Let the next detection begin every stream anew."""
        with self.database.transaction() as connection:
            connection.exec_driver_sql("UPDATE llmmon.detection SET rules = '{\"window_hours\": 1}'")

    def judge(self) -> None:
        detect(self.database, self.config, "shop")
