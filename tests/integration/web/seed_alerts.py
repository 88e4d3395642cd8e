"""The second half of the seed: requests with hostile text, their replays, and the alerts that show them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from tests.integration.web.seed_rows import ASSISTANT, HOSTILE, HOSTILE_NAME, LONG, WINDOWS, insert


def prompt(i: int) -> list[dict[str, str]]:
    """Return the messages of the request number `i`."""
    question = f"Is {17077 + i} a prime number? Think step by step and then answer [Yes] or [No]. "
    return [{"role": "user", "content": question + (HOSTILE if i else "")}]


def requests(connection: Connection) -> list[int]:
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
                    "response_characters": len(text),
                    "n_input_tokens": 40,
                    "n_output_tokens": 3,
                    "latency_ms": 612.4,
                    "cost_usd": 0.0013,
                    "digest": b"\x00",
                }
            ],
        )
        documents = [{"document_id": "doc-1", "content": HOSTILE}] if i else []
        texts = {"messages": prompt(i), "documents": documents, "response_text": text, "reference_answer": "yes"}
        content = json.dumps(texts).encode()
        insert(connection, "llmmon.request_payload", [{"request_key": keys[-1], "occurred_at": at, "content": content}])
    return keys


def texts(messages: list[dict[str, str]], answer: str | None) -> dict[str, Any]:
    """Return the columns of a replay that hold its texts, not sealed."""
    content = json.dumps({"messages": messages, "response_text": answer}).encode()
    return {"content": content, "response_characters": None if answer is None else len(answer)}


def replays(connection: Connection, keys: list[int], backend: int) -> None:
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
        same = prompt(i)
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
                    "change": {},
                    **texts(same, "17077 is a prime number: no prime up to its square root divides it. [Yes]"),
                },
                {
                    **where,
                    **answer,
                    "lane": "reference",
                    "variant": "typo",
                    "repeat": 0,
                    "change": {"rule": "typo", "n_edits": 2},
                    **texts([{"role": "user", "content": "Is 17077 a prmie numbr? " + HOSTILE}], HOSTILE),
                },
                {
                    **where,
                    **none,
                    "lane": "serving",
                    "variant": "as_logged",
                    "repeat": 0,
                    "change": {},
                    **texts(same, None),
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


def alerts(connection: Connection, keys: list[int], detector: int) -> int:
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
    held(connection)
    connection.exec_driver_sql(
        "INSERT INTO llmmon.stream_state (deployment, monitor, segment, state, window_start, e_value, reason)"
        " VALUES (%(name)s, %(name)s, 'all', 'learning', %(start)s, NULL, 'learning')",
        {"name": HOSTILE_NAME, "start": WINDOWS[0]},
    )
    return first


def held(connection: Connection) -> None:
    """Insert the batches of two sources, one of which is held, with its rows and the alert of its source."""
    loaded = {
        "state": "loaded",
        "from_position": None,
        "to_position": {"line": 1},
        "n_in": 40,
        "n_new": 36,
        "n_dup": 1,
        "n_bad": 3,
        "n_held": 0,
        "first_occurred_at": WINDOWS[0],
        "last_occurred_at": WINDOWS[8],
        "raw_digest": b"\x01",
        "gate": {"success": True},
        "code_version": "0.1.0",
        "config_digest": "9f3a" * 16,
    }
    waiting = {**loaded, "state": "held", "n_new": 0, "n_dup": 0, "n_bad": 0, "n_held": 40, "gate": {"success": False}}
    insert(connection, "llmmon.ingest_batch", [{"source": "demo-logs", **loaded}])  # whose bad rows are nowhere
    insert(connection, "llmmon.ingest_batch", [{"source": HOSTILE_NAME, **loaded, "n_new": 39, "n_bad": 0}])
    insert(connection, "llmmon.ingest_batch", [{"source": HOSTILE_NAME, **waiting}])
    row = {"batch_id": 3, "file": HOSTILE, "byte_offset": 0, "cut": "", "raw": b"\x01", "sealed": True}
    insert(connection, "llmmon.held_row", [{**row, "place": place} for place in range(40)])
    detail = {"n_batches": 1, "n_rows": 40, "batch_ids": [3], "failures": [HOSTILE], "has_stopped": False}
    alert = {"dedupe_key": "seed-held", "source": HOSTILE_NAME, "window_start": WINDOWS[0], "window_end": WINDOWS[9]}
    words = {"severity": "warning", "title": HOSTILE, "sentence": f"1 batch of 40 rows is held {HOSTILE}"}
    insert(connection, "llmmon.alert", [{**alert, **words, "detail": detail}])
