"""Evidently's report of a window."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from llmmon.config import Config
from llmmon.errors import LlmmonError
from llmmon.model import Window
from llmmon.pipeline.draw_sample import draw_sample
from llmmon.pipeline.ingest import finish_ingest, ingest_source
from llmmon.pipeline.measure import measure
from llmmon.pipeline.render_report import render_report, report_html
from llmmon.pipeline.score_responses import score_responses
from llmmon.store.database import Database
from llmmon.store.report import windows_without_report

WINDOWS = list(Window.parse("2023-06-27T05:00/2023-06-27T10:00").split(timedelta(hours=1)))
TOML = """
[sources.logs]
read = {type = "openai_jsonl", path = "${here}/*.jsonl*"}
[deployments.assistant]
source = "logs"
reference_windows = 3
active_from = 2023-06-27T05:00:00Z
scorers = {refusal = {judge = "refusal"}}
monitors = {p50 = {metric = {type = "latency_quantile", quantile = 0.5}, min_effect = 1}}
"""
HOSTILE = "</script><script>alert(1)</script>"


def test_report_is_kept_self_contained_and_harmless(
    database: Database,
    config: Callable[..., Config],
    jsonl: Callable[..., Path],
    line: Callable[..., dict[str, Any]],
    refuse_network: list[Any],
) -> None:
    """A report opens no connection but Postgres, loads nothing from elsewhere, and lets no logged text run."""
    jsonl(
        [
            line(
                100 * number + index,
                timestamp=(window.start + timedelta(seconds=100 * index)).isoformat(),
                route=HOSTILE if index % 3 == 0 else "chat",
            )
            for number, window in enumerate(WINDOWS)
            for index in range(24)
        ]
    )
    settings = config(TOML)
    ingest_source(database, settings, "logs")
    for window in WINDOWS:
        finish_ingest(database, settings, "assistant", window)
        draw_sample(database, settings, "assistant", window)
        score_responses(database, settings, "assistant", window)
        measure(database, settings, "assistant", window)
    with database.transaction() as connection:
        assert windows_without_report(connection, "assistant") == WINDOWS
    result = render_report(database, settings, "assistant", WINDOWS[3])
    assert (result.n_requests, result.n_reference) == (24, 72)
    assert {"latency_ms", "answer words", "score: refusal", "route"} <= set(result.columns)
    html = report_html(database, "assistant", WINDOWS[3])
    assert not re.search(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"']?(?:https?:)?//", html)
    assert HOSTILE not in html
    assert "alert(1)" in html
    with database.transaction() as connection:
        assert windows_without_report(connection, "assistant") == [*WINDOWS[:3], WINDOWS[4]]
    assert refuse_network == []


def test_a_window_without_a_report_says_so(database: Database) -> None:
    """Asking for a report that is not there names the window and who renders it."""
    with pytest.raises(LlmmonError, match="assistant 2023-06-27T05:00:00: no report; the maintain DAG"):
        report_html(database, "assistant", WINDOWS[0])


@pytest.fixture
def refuse_network(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Record and refuse every connection that is not to a local socket file."""
    attempts: list[Any] = []
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            attempts.append(address)
            raise OSError("the network is not there in this test")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    return attempts
