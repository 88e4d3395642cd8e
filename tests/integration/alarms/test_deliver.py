"""The outbox against a real webhook receiver and a real SMTP server on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from llmmon.channels.base import Connection
from llmmon.config import Config, load_config
from llmmon.errors import ConfigError, GateError
from llmmon.pipeline.deliver import LEASE, deliver
from llmmon.pipeline.detect import detect
from llmmon.pipeline.ingest import ingest_source
from llmmon.store.database import Database
from llmmon.store.delivery import claim
from tests.integration.alarms.measured import CALM, measure_windows, small_config
from tests.integration.conftest import TOKEN, Inbox


@pytest.fixture
def alerted(database: Database, tmp_path: Path) -> Config:
    """Open one alert for Slack and e-mail; return the configuration."""
    config = small_config(tmp_path)
    measure_windows(database, [*CALM, 0.018, 0.8])
    assert detect(database, config, "survey").n_alerts == 1
    return config


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    with database.transaction() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query).all()]


def make_due(database: Database) -> None:
    """Let every waiting delivery be due now."""
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE llmmon.delivery SET next_attempt_at = clock_timestamp()")


def test_an_alert_reaches_slack_and_mail_once(
    database: Database, alerted: Config, inbox: tuple[Inbox, Callable[[str], Connection]]
) -> None:
    """Each channel gets one message with sentence, link and dedupe key; every attempt and audit event is recorded."""
    box, resolve = inbox

    result = deliver(database, alerted, resolve)
    again = deliver(database, alerted, resolve)

    assert (result.n_sent, result.n_failed, result.n_dead, result.n_pending) == (2, 0, 0, 0)
    assert again.n_sent == 0
    ((path, post),) = box.posts
    assert path == f"/services/{TOKEN}"
    assert "refusal rate rose from 1.7% to 80.0%" in post["blocks"][1]["text"]["text"]
    assert post["blocks"][2]["elements"][0]["url"].endswith("/alerts/1")
    (content,) = box.mails
    mail = message_from_bytes(content, policy=default)
    assert mail["Subject"] == "[critical] survey: refusal rate rose from 1.7% to 80.0%"
    keys = [row[0] for row in rows(database, "SELECT dedupe_key FROM llmmon.delivery ORDER BY channel")]
    assert mail["Message-ID"] == f"<{keys[0]}@example.com>"
    assert keys[1] in json.dumps(post)
    assert rows(database, "SELECT succeeded FROM llmmon.delivery_attempt") == [(True,), (True,)]
    assert rows(database, "SELECT event FROM audit.trail WHERE event LIKE 'delivery%%'") == [("delivery.sent",)] * 2


def test_a_held_batch_is_told_once_and_again_when_reading_stops(
    database: Database, tmp_path: Path, inbox: tuple[Inbox, Callable[[str], Connection]]
) -> None:
    """Slack and mail say which source, how much and why, with the link; at the limit they say that reading stopped."""
    box, resolve = inbox
    small_config(tmp_path)
    text = (tmp_path / "llmmon.toml").read_text("utf-8")
    gate = 'gate = {max_held_batches = 2}\nchannels = ["slack", "email"]\n[channels]'
    (tmp_path / "llmmon.toml").write_text(text.replace("[channels]", gate), "utf-8")
    config = load_config(tmp_path / "llmmon.toml")
    (tmp_path / "a.jsonl").write_text("broken\n", "utf-8")
    ingest_source(database, config, "logs")

    assert deliver(database, config, resolve).n_sent == 2
    ((_, post),) = box.posts
    assert post["blocks"][0]["text"]["text"].endswith("source logs: 1 batch held back by the gate")
    assert "100% of its rows cannot be read" in post["blocks"][1]["text"]["text"]
    assert post["blocks"][2]["elements"][0]["url"].endswith("/alerts/1")
    assert message_from_bytes(box.mails[0], policy=default)["Subject"].startswith("[warning] source logs: 1 batch")

    (tmp_path / "b.jsonl").write_text("broken too\n", "utf-8")
    with pytest.raises(GateError):
        ingest_source(database, config, "logs")
    assert deliver(database, config, resolve).n_sent == 2
    assert "reading stopped, 2 batches held back" in box.posts[1][1]["text"]
    first, second = (message_from_bytes(mail, policy=default) for mail in box.mails)
    assert second["Subject"].strip().startswith("[critical] source logs: reading stopped")
    assert first["Message-ID"] != second["Message-ID"]


def test_a_busy_receiver_is_tried_again_later(
    database: Database, alerted: Config, inbox: tuple[Inbox, Callable[[str], Connection]]
) -> None:
    """429 and 451 leave the deliveries waiting, each attempt on record; later they are sent."""
    box, resolve = inbox
    box.status, box.answer = 429, "451 try later"

    first = deliver(database, alerted, resolve)
    at_once = deliver(database, alerted, resolve)
    assert (first.n_failed, first.n_pending, at_once.n_failed) == (2, 2, 0)
    waits = rows(
        database, "SELECT extract(epoch FROM next_attempt_at - clock_timestamp()) FROM llmmon.delivery ORDER BY 1"
    )
    assert all(20 < wait[0] < 34 for wait in waits)

    box.status, box.answer = 200, "250 taken"
    make_due(database)
    assert deliver(database, alerted, resolve).n_sent == 2
    attempts = rows(database, "SELECT succeeded, answer FROM llmmon.delivery_attempt ORDER BY 1, 2")
    assert [row[0] for row in attempts] == [False, False, True, True]
    assert any("429" in row[1] for row in attempts)
    assert any("451" in row[1] for row in attempts)


def test_five_failures_are_the_end_and_are_on_record(
    database: Database, alerted: Config, inbox: tuple[Inbox, Callable[[str], Connection]]
) -> None:
    """After five attempts a delivery is given up, with an audit event; nothing is tried again."""
    box, resolve = inbox
    box.status, box.answer = 503, "451 try later"
    for _ in range(6):
        deliver(database, alerted, resolve)
        make_due(database)

    assert rows(database, "SELECT state, n_attempts FROM llmmon.delivery") == [("dead", 5)] * 2
    assert len(box.posts) == 5
    events = rows(database, "SELECT event FROM audit.trail WHERE event LIKE 'delivery%%'")
    assert events == [("delivery.given_up",)] * 2


def test_a_permanent_refusal_is_not_repeated(
    database: Database, alerted: Config, inbox: tuple[Inbox, Callable[[str], Connection]]
) -> None:
    """A revoked webhook and a 550 end the delivery at once."""
    box, resolve = inbox
    box.status, box.answer = 404, "550 no such user"

    result = deliver(database, alerted, resolve)

    assert (result.n_dead, result.n_pending) == (2, 0)
    assert len(box.posts) == 1


def test_a_connection_that_is_not_set_or_not_there_leaks_nothing(database: Database, alerted: Config) -> None:
    """A missing connection and a closed port are recorded in words, without the webhook's token."""

    def resolve(name: str) -> Connection:
        if name == "llmmon_smtp":
            raise ConfigError("connection 'llmmon_smtp': not set")
        return Connection(password=f"http://127.0.0.1:9/services/{TOKEN}")

    result = deliver(database, alerted, resolve)

    assert (result.n_failed, result.n_pending) == (2, 2)
    answers = [row[0] for row in rows(database, "SELECT answer FROM llmmon.delivery_attempt ORDER BY answer")]
    assert answers == ["Slack webhook at 127.0.0.1: ConnectError", "connection 'llmmon_smtp': not set"]


def test_a_sender_that_died_gives_the_delivery_back(
    database: Database, alerted: Config, inbox: tuple[Inbox, Callable[[str], Connection]]
) -> None:
    """A delivery taken and never recorded is not sent by others until its lease ends, and then is, under its key."""
    box, resolve = inbox
    with database.transaction() as connection:
        taken = claim(connection, lease=LEASE)
    assert taken is not None

    assert deliver(database, alerted, resolve).n_sent == 1
    make_due(database)
    assert deliver(database, alerted, resolve).n_sent == 1
    assert len(box.posts) == len(box.mails) == 1
    assert taken.dedupe_key in rows(database, "SELECT dedupe_key FROM llmmon.delivery WHERE n_attempts = 2")[0]


def test_senders_at_the_same_time_send_each_delivery_once(
    database: Database, alerted: Config, inbox: tuple[Inbox, Callable[[str], Connection]]
) -> None:
    """Four drains at once send two messages in all."""
    box, resolve = inbox
    threads = [threading.Thread(target=deliver, args=(database, alerted, resolve)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(box.posts), len(box.mails)) == (1, 1)
