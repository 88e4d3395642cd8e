"""A failed task tells the channels itself; product alerts go through the outbox instead."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from llmmon.errors import LlmmonError
from llmmon_airflow.settings import configuration, resolve_connection

log = logging.getLogger(__name__)


def notify_failure(context: Mapping[str, Any]) -> None:
    """Tell every channel that a task failed for good; what a channel refuses is logged.

    The error's type is told, its text is not: it may quote a log.
    """
    from llmmon.channels.base import channels
    from llmmon.model import Alert, Window

    task = context["ti"]
    error = context.get("exception")
    kind = type(error).__name__ if error is not None else "an error"
    config = configuration()
    now = datetime.now(UTC)
    key = context["dag_run"].partition_key
    alert = Alert(
        alert_id=0,
        deployment="llmmon itself",
        monitor=f"{task.dag_id}.{task.task_id}",
        segment="all",
        window=Window(start=now - config.window_length, end=now)
        if not key
        else Window.parse(key, hours=config.window_hours),
        severity="critical",
        title=f"Task {task.dag_id}.{task.task_id} failed",
        sentence=f"{task.dag_id}.{task.task_id} failed with {kind} in run {task.run_id} after {task.try_number} tries; "
        "its window is not finished and waits.",
        opened_at=now,
    )
    for name, plugin in config.channels.items():
        try:
            channel = plugin.create(channels, where=f"channels.{name}")
            connection = resolve_connection(channel.connection) if channel.connection else None
            dedupe_key = f"{task.dag_id}/{task.run_id}/{task.task_id}/{task.map_index}"
            channel.send(alert, connection=connection, link=None, dedupe_key=dedupe_key)
        except LlmmonError as refused:
            log.error("channel %s did not take the failure notice: %s", name, refused)
