"""Deliver: drain the outbox, at least once per delivery, and record every attempt."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from llmmon.audit.event import body
from llmmon.channels.base import Channel, Connection, channels
from llmmon.config import Config
from llmmon.errors import ConfigError, DeliveryError
from llmmon.store import audit
from llmmon.store.database import Database
from llmmon.store.delivery import Delivery, claim, count_waiting, record_attempt

log = logging.getLogger(__name__)

State = Literal["pending", "sent", "dead"]

MAX_ATTEMPTS: Final = 5
LEASE: Final = timedelta(minutes=5)
"""Longer than a channel's slowest answer; a sender that died frees its delivery after it."""
FIRST_WAIT: Final = timedelta(seconds=30)


@dataclass(frozen=True, kw_only=True)
class DeliverResult:
    """What one draining of the outbox did.

    Parameters
    ----------
    n_sent, n_failed, n_dead : int
        Attempts that succeeded, that will be tried again, and that were the last.
    n_pending : int
        Deliveries still waiting.
    """

    n_sent: int
    n_failed: int
    n_dead: int
    n_pending: int


def deliver(database: Database, config: Config, resolve: Callable[[str], Connection]) -> DeliverResult:
    """Send every delivery that is due.

    Each is taken under a lease, sent outside any transaction, and its outcome recorded with its audit event. A sender
    that dies between sending and recording leaves the delivery to be sent again: its dedupe key tells the receiver.
    A failed one waits 30 s, 1, 2 and 4 minutes (with jitter) before the next attempt.

    Parameters
    ----------
    resolve : callable
        Gives the connection of a channel by name.
    """
    counts = {"sent": 0, "pending": 0, "dead": 0}
    while True:
        with database.transaction() as connection:
            delivery = claim(connection, lease=LEASE)
        if delivery is None:
            break
        counts[_attempt(database, config, resolve, delivery)] += 1
    with database.transaction() as connection:
        n_pending, n_dead_ever = count_waiting(connection)
    log.info(
        "outbox: %d sent, %d to be tried again, %d given up; %d wait, %d given up so far",
        counts["sent"],
        counts["pending"],
        counts["dead"],
        n_pending,
        n_dead_ever,
    )
    return DeliverResult(n_sent=counts["sent"], n_failed=counts["pending"], n_dead=counts["dead"], n_pending=n_pending)


def _attempt(database: Database, config: Config, resolve: Callable[[str], Connection], delivery: Delivery) -> State:
    state, answer = _send(config, resolve, delivery)
    wait = FIRST_WAIT * 2 ** (delivery.n_attempts - 1) * random.uniform(0.9, 1.1)
    with database.transaction() as connection:
        record_attempt(connection, delivery, state=state, answer=answer, wait=wait)
        detail = {
            "alert_id": delivery.alert.alert_id,
            "channel": delivery.channel,
            "dedupe_key": delivery.dedupe_key,
            "attempt": delivery.n_attempts,
        }
        if state != "pending":
            event = "delivery.sent" if state == "sent" else "delivery.given_up"
            subject = f"delivery {delivery.delivery_id}"
            audit.append(connection, body(event, subject, detail, config_digest=config.digest))
    level = {"sent": logging.INFO, "pending": logging.WARNING, "dead": logging.ERROR}[state]
    log.log(level, "alert %d to %s: %s: %s", delivery.alert.alert_id, delivery.channel, state, answer)
    return state


def _send(config: Config, resolve: Callable[[str], Connection], delivery: Delivery) -> tuple[State, str]:
    if delivery.n_attempts > MAX_ATTEMPTS:
        return "dead", f"{MAX_ATTEMPTS} attempts ended without an answer being recorded"
    try:
        channel = _channel(config, delivery.channel)
        connection = None if channel.connection is None else resolve(channel.connection)
        receipt = channel.send(
            delivery.alert, connection=connection, link=_link(config, delivery), dedupe_key=delivery.dedupe_key
        )
    except ConfigError as error:  # somebody can mend the configuration: the other attempts stay open
        return _failed(delivery, str(error), permanent=False)
    except DeliveryError as error:
        return _failed(delivery, str(error), permanent=error.permanent)
    return "sent", receipt.response


def _failed(delivery: Delivery, answer: str, *, permanent: bool) -> tuple[State, str]:
    return ("dead" if permanent or delivery.n_attempts >= MAX_ATTEMPTS else "pending"), answer


def _channel(config: Config, name: str) -> Channel:
    if name not in config.channels:
        raise ConfigError(f"channels.{name}: an alert waits for this channel, but llmmon.toml no longer has it")
    return config.channels[name].create(channels, where=f"channels.{name}")


def _link(config: Config, delivery: Delivery) -> str | None:
    if config.ui_url is None:
        return None
    # below the address of a plug-in's page Airflow expects the path inside its frame, which begins with /llmmon again
    return f"{config.ui_url.rstrip('/')}/llmmon/alerts/{delivery.alert.alert_id}"
