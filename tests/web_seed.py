"""Plausible rows for the pages: three deployments over 14 windows, one alert with replays, hostile text everywhere."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from llmmon.store.database import Database

START = datetime(2023, 6, 27, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOWS = [START + HOUR * i for i in range(14)]
BURN_IN = 5
HOSTILE = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)> \u202eevil\u202c مرحبا"
LONG = "A very long answer. " * 400
ASSISTANT, SURVEY, HOSTILE_NAME = "assistant-gpt4", "survey-gpt35", "a/b <script>alert(2)</script>"

STREAMS: list[tuple[str, str, str, float, float, float]] = [
    # monitor, segment, unit, level before, level after noon, spread
    ("answer-length", "all", "words", 142.0, 61.0, 6.0),
    ("answer-length", "route=primes", "words", 130.0, 6.0, 5.0),
    ("accuracy", "all", "fraction", 0.84, 0.58, 0.03),
    ("accuracy", "route=primes", "fraction", 0.88, 0.31, 0.04),
    ("latency-p50", "all", "ms", 5730.0, 2140.0, 320.0),
    ("refusal-rate", "all", "fraction", 0.08, 0.13, 0.03),
    ("cost-per-request", "all", "USD", 0.0139, 0.0081, 0.0006),
    ("answer-drift", "all", "AUROC", 0.51, 0.93, 0.02),
    ("surprise", "all", "nats", 2.31, 2.36, 0.08),
    ("personal-data", "all", "fraction", 0.02, 0.02, 0.01),
]


def insert(connection: Connection, table: str, rows: list[dict[str, Any]]) -> None:
    """Insert dicts as rows; dicts and lists of dicts become jsonb."""
    if not rows:
        return
    names = list(rows[0])
    ready = [
        {
            k: json.dumps(v) if isinstance(v, dict) or (isinstance(v, list) and k != "request_keys") else v
            for k, v in row.items()
        }
        for row in rows
    ]
    values = ", ".join(f"%({name})s" for name in names)
    connection.exec_driver_sql(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})", ready)


def provenance(connection: Connection, kind: str, plugin: str, parameters: dict[str, Any]) -> int:
    """Insert one provenance row and return its key."""
    found = connection.exec_driver_sql(
        "INSERT INTO llmmon.provenance (digest, kind, plugin, parameters, code_version, config_digest, model_revision)"
        " VALUES (%(digest)s, %(kind)s, %(plugin)s, %(parameters)s, '0.1.0', %(config)s, NULL) RETURNING provenance_id",
        {
            "digest": f"{kind}-{plugin}".encode(),
            "kind": kind,
            "plugin": plugin,
            "parameters": json.dumps(parameters),
            "config": "9f3a" * 16,
        },
    )
    return int(found.scalar_one())


def fill(database: Database) -> int:
    """Fill the store and return the id of the first alert."""
    rng = random.Random(7)
    with database.transaction() as connection:
        metric = provenance(connection, "metrics", "score_mean", {"scorer": "words", "lane": "logged"})
        detector = provenance(connection, "detectors", "reference_change", {"burn_in": BURN_IN, "sides": "both"})
        backend = provenance(connection, "backends", "transformers", {"model": "demo", "max_new_tokens": 48})
        for name, moves in ((ASSISTANT, True), (SURVEY, False)):
            _stages(connection, rng, name)
            _streams(connection, rng, name, metric, detector, moves=moves)
        keys = _requests(connection)
        _replays(connection, keys, backend)
        return _alerts(connection, keys, detector)


def _stages(connection: Connection, rng: random.Random, name: str) -> None:
    accounts: list[dict[str, Any]] = []
    stages: list[dict[str, Any]] = []
    for i, start in enumerate(WINDOWS):
        n = rng.randint(28, 64)
        for stage in ("ingest", "sample", "replay", "score", "measure", "detect"):
            if i == 13 and stage in ("replay", "score", "measure", "detect") and name == SURVEY:
                continue
            parts = {"done": (n, "", None)}
            if stage == "sample":
                parts = {"done": (8, "", 8 / n), "sampled_out": (n - 8, "not drawn", 1 - 8 / n)}
            if stage == "replay":
                parts = {
                    "done": (7, "", None),
                    "sampled_out": (n - 8, "not drawn", None),
                    "failed": (1, f"endpoint answered 503 {HOSTILE}", None),
                }
            if stage == "score" and i == 3:
                parts = {"done": (n - 2, "", None)}
            where = {"deployment": name, "window_start": start, "window_end": start + HOUR, "stage": stage}
            accounts += [{**where, "state": s, "n": k, "reason": r, "probability": p} for s, (k, r, p) in parts.items()]
            dirty = stage == "measure" and i == 9
            stages.append(
                {
                    **where,
                    "state": "dirty" if dirty else "done",
                    "n_requests": n,
                    "reason": "4 rows came late" if dirty else None,
                }
            )
    insert(connection, "llmmon.window_stage", stages)
    insert(connection, "llmmon.coverage", accounts)


def _streams(connection: Connection, rng: random.Random, name: str, metric: int, detector: int, *, moves: bool) -> None:
    largest = [0.0] * len(WINDOWS)
    for monitor, segment, unit, before, after, spread in STREAMS:
        key = {"deployment": name, "monitor": monitor, "segment": segment}
        reference, log_e = before, 0.0
        values, evidence = [], []
        for i, start in enumerate(WINDOWS):
            level = after if moves and i >= 7 else before
            absent = monitor in ("accuracy", "surprise") and i in (4, 9)
            value = None if absent else abs(rng.gauss(level, spread))
            half = spread * rng.uniform(1.4, 2.2)
            where = {**key, "window_start": start, "window_end": start + HOUR}
            values.append(
                {
                    **where,
                    "value": value,
                    "low": None if absent else max(0.0, value - half),
                    "high": None if absent else value + half,
                    "n": 0 if absent else rng.randint(20, 60),
                    "unit": unit,
                    "reason": f"no request has a reference answer {HOSTILE}" if absent else None,
                    "provenance_id": metric,
                }
            )
            judged = {
                **where,
                "detector": "reference_change",
                "e_value": None,
                "relevant": False,
                "value": value,
                "reference_value": None,
                "effect": None,
                "reason": None,
                "detail": {},
                "provenance_id": detector,
            }
            if absent:
                judged["reason"] = "no value"
            elif i < BURN_IN:
                judged["reason"] = f"learning: reference window {i + 1} of {BURN_IN}"
            else:
                assert value is not None
                log_e += (abs(value - reference) / spread - 1.5) * 0.35
                judged |= {
                    "e_value": min(2.718 ** max(log_e, -4.0), 1e12),
                    "reference_value": reference,
                    "effect": value - reference,
                    "relevant": abs(value - reference) > 3 * spread,
                    "detail": {"n_reference_windows": BURN_IN, "likeliest_start": "2023-06-27T12:00:00"},
                }
                largest[i] = max(largest[i], judged["e_value"])
            evidence.append(judged)
        insert(connection, "llmmon.measurement", values)
        insert(connection, "llmmon.evidence", evidence)
        e_value = next(e["e_value"] for e in reversed(evidence) if e["e_value"] is not None)
        state = "alarmed" if e_value > 200 and moves else "watching"
        insert(
            connection,
            "llmmon.stream_state",
            [{**key, "state": state, "window_start": WINDOWS[-1], "e_value": e_value, "reason": None}],
        )
    insert(
        connection,
        "llmmon.alarm_budget",
        [
            {
                "deployment": name,
                "window_start": start,
                "alpha": 0.05,
                "n_streams": len(STREAMS),
                "n_learning": len(STREAMS) if i < BURN_IN else 0,
                "n_alarmed": 5 if moves and i > 8 else 0,
                "largest_e": largest[i] or None,
                "threshold_e": 200.0,
            }
            for i, start in enumerate(WINDOWS)
        ],
    )


def _requests(connection: Connection) -> list[int]:
    connection.exec_driver_sql("SELECT llmmon.ensure_day_partition('2023-06-27')")
    keys = []
    for i, text in enumerate(("[No]", HOSTILE, LONG)):
        at = WINDOWS[8] + timedelta(minutes=7 * i, seconds=3)
        identity = connection.exec_driver_sql(
            "INSERT INTO llmmon.request_identity (source, request_id, occurred_at)"
            " VALUES ('demo-logs', %(id)s, %(at)s) RETURNING request_key",
            {"id": f"req-00{i}", "at": at},
        )
        keys.append(int(identity.scalar_one()))
        insert(
            connection,
            "llmmon.request_log",
            [
                {
                    "request_key": keys[-1],
                    "occurred_at": at,
                    "source": "demo-logs",
                    "request_id": f"req-00{i}",
                    "batch_id": 1,
                    "deployment": ASSISTANT,
                    "model": "gpt-4",
                    "route": "primes",
                    "language": "en",
                    "status": "ok",
                    "finish_reason": "stop",
                    "messages": [
                        {"role": "system", "content": "Answer as a careful mathematician."},
                        {
                            "role": "user",
                            "content": f"Is {17077 + i} a prime number? Think step by step and then "
                            "answer [Yes] or [No]. " + (HOSTILE if i else ""),
                        },
                    ],
                    "documents": [{"document_id": "doc-1", "content": HOSTILE}] if i else [],
                    "response_text": text,
                    "reference_answer": "yes",
                    "n_input_tokens": 40,
                    "n_output_tokens": 3,
                    "latency_ms": 612.4,
                    "cost_usd": 0.0013,
                    "digest": b"\x00",
                }
            ],
        )
    return keys


def _replays(connection: Connection, keys: list[int], backend: int) -> None:
    for i, key in enumerate(keys[:2]):
        sample = connection.exec_driver_sql(
            "INSERT INTO llmmon.sample (request_key, deployment, window_start, window_end, stratum, probability, seed)"
            " VALUES (%(key)s, %(name)s, %(start)s, %(end)s, 'primes|ok', 0.2, 11) RETURNING sample_id",
            {"key": key, "name": ASSISTANT, "start": WINDOWS[8], "end": WINDOWS[9]},
        ).scalar_one()
        where = {
            "sample_id": sample,
            "request_key": key,
            "deployment": ASSISTANT,
            "window_start": WINDOWS[8],
            "provenance_id": backend,
        }
        same = [{"role": "user", "content": f"Is {17077 + i} a prime number?"}]
        answer = {
            "state": "done",
            "reason": None,
            "finish_reason": "length",
            "n_input_tokens": 40,
            "n_output_tokens": 48,
            "ttft_ms": 38.2,
            "latency_ms": 512.0,
            "mean_logprob": -1.42,
            "logged_mean_logprob": -2.81,
        }
        none = dict.fromkeys(answer) | {"state": "failed", "reason": "the endpoint answered 503 three times"}
        insert(
            connection,
            "llmmon.response",
            [
                {
                    **where,
                    **answer,
                    "lane": "reference",
                    "variant": "as_logged",
                    "repeat": 0,
                    "messages": same,
                    "change": {},
                    "response_text": "17077 is a prime number: no prime up to its square root divides it. [Yes]",
                },
                {
                    **where,
                    **answer,
                    "lane": "reference",
                    "variant": "typo",
                    "repeat": 0,
                    "messages": [{"role": "user", "content": "Is 17077 a prmie numbr? " + HOSTILE}],
                    "change": {"rule": "typo", "n_edits": 2},
                    "response_text": HOSTILE,
                },
                {
                    **where,
                    **none,
                    "lane": "serving",
                    "variant": "as_logged",
                    "repeat": 0,
                    "messages": same,
                    "change": {},
                    "response_text": None,
                },
            ],
        )
        score = {
            "request_key": key,
            "deployment": ASSISTANT,
            "window_start": WINDOWS[8],
            "repeat": 0,
            "provenance_id": backend,
        }
        insert(
            connection,
            "llmmon.score",
            [
                {
                    **score,
                    "lane": "logged",
                    "variant": "as_logged",
                    "scorer": "correctness",
                    "value": 0.0,
                    "label": "wrong",
                    "reason": None,
                },
                {
                    **score,
                    "lane": "logged",
                    "variant": "as_logged",
                    "scorer": "words",
                    "value": 1.0,
                    "label": None,
                    "reason": None,
                },
                {
                    **score,
                    "lane": "reference",
                    "variant": "as_logged",
                    "scorer": "correctness",
                    "value": None,
                    "label": None,
                    "reason": "no yes or no was found",
                },
            ],
        )


def _alerts(connection: Connection, keys: list[int], detector: int) -> int:
    first = 0
    chosen = (
        (
            "answer-length",
            "all",
            "open",
            "critical",
            "Answers of assistant-gpt4 shrank to 58.3 words (95% interval 47 to 69, n = 41) in the hour from 13:00; "
            "in the reference hours it was 142 words.",
        ),
        (
            "accuracy",
            "route=primes",
            "acknowledged",
            "warning",
            f"Accuracy of assistant-gpt4 on primes fell to 31% from 88%. {HOSTILE}",
        ),
        (
            "latency-p50",
            "all",
            "resolved",
            "info",
            "Half of the answers of assistant-gpt4 now come within 2,140 ms instead of 5,730 ms.",
        ),
    )
    for i, (monitor, segment, state, severity, sentence) in enumerate(chosen):
        alert = connection.exec_driver_sql(
            "INSERT INTO llmmon.alert (dedupe_key, deployment, monitor, segment, detector, window_start, window_end,"
            " severity, state, title, sentence, value, reference_value, e_value, request_keys, measurement_id,"
            " provenance_id) SELECT %(dedupe)s, deployment, monitor, segment, 'reference_change', window_start,"
            " window_end, %(severity)s, %(state)s, %(title)s, %(sentence)s, value, 142.0, 4310.0, %(keys)s,"
            " measurement_id, %(detector)s FROM llmmon.measurement WHERE deployment = %(name)s"
            " AND monitor = %(monitor)s AND segment = %(segment)s AND window_start = %(start)s RETURNING alert_id",
            {
                "dedupe": f"seed-{i}",
                "severity": severity,
                "state": state,
                "title": f"{monitor} changed {HOSTILE}",
                "sentence": sentence,
                "keys": keys if i < 2 else [],
                "detector": detector,
                "name": ASSISTANT,
                "monitor": monitor,
                "segment": segment,
                "start": WINDOWS[8],
            },
        ).scalar_one()
        first = first or int(alert)
        insert(
            connection,
            "llmmon.alert_event",
            [
                {"alert_id": alert, "event": "opened", "actor": "dag alert", "note": None},
                *([{"alert_id": alert, "event": state, "actor": HOSTILE, "note": HOSTILE}] if state != "open" else []),
            ],
        )
        for channel, done in (("slack", "sent"), ("email", "pending" if i == 0 else "dead")):
            delivery = connection.exec_driver_sql(
                "INSERT INTO llmmon.delivery (alert_id, channel, dedupe_key, state, n_attempts, sent_at) VALUES"
                " (%(alert)s, %(channel)s, %(key)s, %(state)s, 1, now()) RETURNING delivery_id",
                {"alert": alert, "channel": channel, "key": f"{alert}-{channel}", "state": done},
            ).scalar_one()
            insert(
                connection,
                "llmmon.delivery_attempt",
                [
                    {
                        "delivery_id": delivery,
                        "succeeded": done == "sent",
                        "answer": "ok" if done == "sent" else f"451 try again later {HOSTILE}",
                    }
                ],
            )
        body = {
            "event": "alert.opened",
            "actor": "dag alert",
            "code_version": "0.1.0",
            "config_digest": "9f3a" * 16,
            "subject": f"alert {alert} {HOSTILE}",
            "detail": {"monitor": monitor, "why": HOSTILE * 3},
        }
        insert(connection, "audit.event", [{"body": json.dumps(body)}])
    connection.exec_driver_sql(
        "INSERT INTO llmmon.stream_state (deployment, monitor, segment, state, window_start, e_value, reason)"
        " VALUES (%(name)s, %(name)s, 'all', 'learning', %(start)s, NULL, 'learning')",
        {"name": HOSTILE_NAME, "start": WINDOWS[0]},
    )
    return first
