"""Gzipped JSON lines of about 2 KB into Postgres: llmmon's whole contract beside ways that promise less."""

from __future__ import annotations

import gzip
import io
import json
import logging
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
import sqlalchemy
from sqlalchemy.dialects.postgresql import JSONB

from benchmarks.result import Result, Row, best_seconds
from llmmon.config import Config
from llmmon.pipeline.ingest import ingest_source
from llmmon.privacy.recognizers import TYPES
from llmmon.store.database import Database
from llmmon.store.migrate import upgrade
from llmmon.store.scratch import scratch_server

SUMMARY = "gzip JSONL of 2 KB rows into Postgres: llmmon, pandas, SQLAlchemy, dlt, and COPY of ready bytes"

_COLUMNS = ("id", "timestamp", "model", "messages", "response_text", "latency_ms", "n_in", "n_out")
_TABLE = """CREATE TABLE peer (id text, "timestamp" timestamptz, model text, messages jsonb, response_text text,
            latency_ms float8, n_in int, n_out int)"""
_LOADERS = {"llmmon": "_llmmon", "SQLAlchemy insertmanyvalues": "_sqlalchemy", "pandas.to_sql multi": "_pandas"}
"""Ways whose peak memory is compared, and the functions that a process of its own runs."""


def run(rows: int = 20_000, rounds: int = 3) -> Result:
    """Load the same file in every way.

    Parameters
    ----------
    rows : int
        Lines in the file.
    rounds : int
        Loads of each way into an empty table; the best counts.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder, scratch_server(fsync="on", synchronous_commit="on") as url:
        path = _written(folder, "logs", rows)
        ways: list[tuple[str, Callable[[], None], str]] = [
            ("COPY of ready bytes", _copy_ready(url, path), "the floor: no unpacking, no parsing, no keys"),
            ("COPY, json.loads", lambda: _copy(url, path), "unpack, parse, 8 columns; no dedupe, no gate, no audit"),
            (
                "llmmon ingest",
                lambda: _llmmon(url, path),
                "28 facts, texts, keys, digests, dedupe, partitions, gate, audit",
            ),
            (
                "llmmon, redaction on",
                lambda: _llmmon(url, path, TYPES),
                "and every text looked through for personal data",
            ),
            ("SQLAlchemy insertmanyvalues", lambda: _sqlalchemy(url, path), "unpack, parse, 8 columns"),
            ("pandas.to_sql multi", lambda: _pandas(url, path), "unpack, parse, 8 columns"),
            ("dlt", _dlt(url, path, folder), "unpack, parse, its own normaliser; 8 columns"),
        ]
        _reset(url)
        _llmmon(url, path)  # imports Great Expectations, which is not what is measured
        found = [
            Row(way=way, value=rows / best_seconds(work, rounds=rounds, before=lambda: _reset(url)), note=note)
            for way, work, note in ways
        ]
        size = path.stat().st_size
        long = _written(folder, "long", 10 * rows)
        for way, loader in _LOADERS.items():
            peaks = [_peak_mib(url, each, loader) for each in (path, long)]
            told = f"{peaks[0]:,.0f} MiB at {rows:,} rows, {peaks[1]:,.0f} at {10 * rows:,}: {peaks[1] / peaks[0]:.2f}x"
            found.append(Row(way=f"peak memory, {way}", value=None, note=told))
        found += _one_more_window(url, Path(folder), {rows // 10: _written(folder, "few", rows // 10), 10 * rows: long})
    settings = {"rows": rows, "rounds": rounds, "file_mb": round(size / 1e6, 1), "fsync": "on"}
    return Result(unit="rows/s", rows=found, reference="llmmon ingest", settings=settings)


def _one_more_window(url: str, folder: Path, loads: dict[int, Path]) -> list[Row]:
    """Tell what 1,000 requests more cost on top of loads of so many rows."""
    found = []
    for there, path in loads.items():
        _reset(url)
        _llmmon(url, path)
        more = (_written(str(folder), f"more{place}", 1000, first=10**9 + 1000 * place) for place in range(8))
        waiting = list(more)
        seconds = best_seconds(lambda waiting=waiting: _llmmon(url, waiting.pop()), rounds=8)  # type: ignore[misc]
        way = f"llmmon, a window of 1,000 more, {there:,} there"
        found.append(Row(way=way, value=1000 / seconds, note=f"{seconds * 1e3:.0f} ms"))
    return found


def _written(folder: str, name: str, rows: int, first: int = 0) -> Path:
    path = Path(folder) / f"{name}.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(_lines(rows, first)), 6))
    return path


def _lines(n: int, first: int = 0) -> Iterator[bytes]:
    words = [f"word{number}" for number in range(5000)]
    chosen = random.Random(1)
    start = datetime(2023, 6, 27, tzinfo=UTC)
    for index in range(first, first + n):
        prompt, answer = (" ".join(chosen.choices(words, k=k)) for k in (70, 140))
        line = {
            "id": f"req-{index}",
            "timestamp": (start + timedelta(seconds=index % 10**9 * 3)).isoformat(),
            "deployment": "assistant",
            "route": chosen.choice(["a", "b", "c"]),
            "request": {"model": "gpt-4", "messages": [{"role": "user", "content": prompt}], "temperature": 0.1},
            "response": {
                "model": "gpt-4",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 70, "completion_tokens": 140},
            },
            "latency_ms": chosen.uniform(100, 9000),
        }
        yield json.dumps(line).encode() + b"\n"


def _reset(url: str) -> None:
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS llmmon, audit, compliance, dlt_peer CASCADE")
        cursor.execute("DROP TABLE IF EXISTS peer, llmmon_alembic_version")
        cursor.execute(_TABLE)
    connection.close()
    upgrade(url)
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("COMMIT; CHECKPOINT")
    connection.close()


def _llmmon(url: str, path: Path, redact: tuple[str, ...] = ()) -> None:
    os.environ["LLMMON_PRIVACY_KEY"] = "a key for benchmarks, long enough"
    settings = {
        "privacy": {"redact": redact},
        "sources": {"logs": {"read": {"type": "openai_jsonl", "path": str(path)}}},
        "deployments": {"assistant": {"source": "logs"}},
    }
    database = Database(url)
    result = ingest_source(database, Config.model_validate(settings), "logs")
    database.engine.dispose()
    assert result.n_new == result.n_in, result


def _peak_mib(url: str, path: Path, loader: str) -> float:
    """Return the largest resident memory of a process that loads a file, in MiB."""
    _reset(url)
    # not ru_maxrss: Linux hands a parent's peak on to its children
    code = (
        "import sys; from pathlib import Path; from benchmarks import ingest;"
        "getattr(ingest, sys.argv[1])(sys.argv[2], Path(sys.argv[3]));"
        "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    ran = subprocess.run([sys.executable, "-c", code, loader, url, path], capture_output=True, text=True, check=True)
    return float(ran.stdout.split()[-2]) / 1024


def _records(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path) as file:
        for raw in file:
            line = json.loads(raw)
            response = line["response"]
            yield {
                "id": line["id"],
                "timestamp": line["timestamp"],
                "model": line["request"]["model"],
                "messages": line["request"]["messages"],
                "response_text": response["choices"][0]["message"]["content"],
                "latency_ms": line["latency_ms"],
                "n_in": response["usage"]["prompt_tokens"],
                "n_out": response["usage"]["completion_tokens"],
            }


def _copy_lines(path: Path) -> Iterator[str]:
    for record in _records(path):
        values = (json.dumps(value) if isinstance(value, list) else str(value) for value in record.values())
        yield (
            "\t".join(value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n") for value in values) + "\n"
        )


def _send(url: str, data: io.StringIO | io.BytesIO) -> None:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.copy_expert("COPY peer FROM STDIN", data)
    connection.close()


def _copy(url: str, path: Path) -> None:
    _send(url, io.StringIO("".join(_copy_lines(path))))


def _copy_ready(url: str, path: Path) -> Callable[[], None]:
    ready = "".join(_copy_lines(path)).encode()
    return lambda: _send(url, io.BytesIO(ready))


def _sqlalchemy(url: str, path: Path) -> None:
    engine = sqlalchemy.create_engine(Database(url).url)
    columns = [sqlalchemy.Column(name, JSONB if name == "messages" else None) for name in _COLUMNS]
    table = sqlalchemy.Table("peer", sqlalchemy.MetaData(), *columns)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.insert(table), list(_records(path)))
    engine.dispose()


def _pandas(url: str, path: Path) -> None:
    import pandas as pd

    engine = sqlalchemy.create_engine(Database(url).url)
    frame = pd.DataFrame(_records(path))
    types = {"messages": JSONB, "timestamp": sqlalchemy.DateTime(timezone=True)}
    frame["timestamp"] = pd.to_datetime(frame["timestamp"])
    frame.to_sql("peer", engine, if_exists="append", index=False, method="multi", chunksize=2000, dtype=types)
    engine.dispose()


def _dlt(url: str, path: Path, folder: str) -> Callable[[], None]:
    os.environ.update(
        {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL", "DLT_DATA_DIR": f"{folder}/dlt"}
    )
    import dlt

    def load() -> None:
        pipeline = dlt.pipeline(
            pipeline_name=f"peer_{random.getrandbits(32)}",
            pipelines_dir=f"{folder}/dlt",
            destination=dlt.destinations.postgres(credentials=url.replace("postgres@", "postgres:none@", 1)),
            dataset_name="dlt_peer",
        )
        info = pipeline.run(_records(path), table_name="logs", columns={"messages": {"data_type": "json"}})
        info.raise_on_failed_jobs()

    return load
