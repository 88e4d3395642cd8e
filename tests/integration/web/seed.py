"""Plausible rows for the pages: three deployments over 14 windows, one alert with replays, hostile text everywhere."""

from __future__ import annotations

import json
import random
from typing import Any

from sqlalchemy import Connection

from llmmon.store.database import Database
from tests.integration.web.seed_alerts import alerts, replays, requests
from tests.integration.web.seed_rows import ASSISTANT, BURN_IN, HOSTILE, HOSTILE_NAME, HOUR, SURVEY, WINDOWS, insert

STREAMS: list[tuple[str, str, str, float, float, float]] = [
    # monitor, segment, unit, level before, level after noon, spread
    ("answer-length", "all", "words", 142.0, 61.0, 6.0),
    ("answer-length", "route=primes", "words", 130.0, 6.0, 5.0),
    ("accuracy", "all", "0/1", 0.84, 0.58, 0.03),
    ("accuracy", "route=primes", "0/1", 0.88, 0.31, 0.04),
    ("latency-p50", "all", "ms", 5730.0, 2140.0, 320.0),
    ("refusal-rate", "all", "share of requests", 0.08, 0.13, 0.03),
    ("cost-per-request", "all", "USD", 0.0139, 0.0081, 0.0006),
    ("answer-drift", "all", "AUROC", 0.51, 0.93, 0.02),
    ("surprise", "all", "nats", 2.31, 2.36, 0.08),
    ("personal-data", "all", "0/1", 0.02, 0.02, 0.01),
]


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
        keys = requests(connection)
        replays(connection, keys, backend)
        _power(connection, provenance(connection, "faults", "certify", {}))
        return alerts(connection, keys, detector)


def _power(connection: Connection, provenance_id: int) -> None:
    run = {"window_hours": 1.0, "alpha": 0.05, "n_watched": 24, "n_runs": 20, "provenance_id": provenance_id}
    spans = [
        {"deployment": ASSISTANT, "n_windows": 7, "n_missing_windows": 0},
        {"deployment": HOSTILE_NAME, "n_windows": 2, "n_missing_windows": 4},
    ]
    insert(connection, "llmmon.certification", [{**run, **span} for span in spans])
    rows = [
        # monitor, fault, size, unit, noticed of 20 runs, delay, reason
        ("*", "none", 0.0, "", 0, None, None),
        ("*", "refusal_share", 0.1, "share of answers", 7, 9.0, None),
        ("*", "refusal_share", 0.2, "share of answers", 20, 3.0, None),
        ("refusal-rate", "refusal_share", 0.2, "share of answers", 20, 3.0, None),
        ("*", "latency_factor", 1.5, "times", 2, 20.0, None),
        ("*", "latency_factor", 2.0, "times", 4, 19.0, None),
        ("*", "ttft_factor", 4.0, "times", 0, None, f"no monitor measures what this fault changes {HOSTILE}"),
    ]
    results = [
        {
            "certification_id": 1,
            "place": place,
            "monitor": monitor,
            "fault": fault,
            "size": size,
            "size_unit": unit,
            "n_runs": 20,
            "n_detected": n,
            "share_detected": n / 20,
            "low": max(0.0, n / 20 - 0.1),
            "high": min(1.0, n / 20 + 0.1),
            "median_delay_windows": delay,
            "reason": reason,
        }
        for place, (monitor, fault, size, unit, n, delay, reason) in enumerate(rows)
    ]
    insert(connection, "llmmon.certification_result", results)


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
