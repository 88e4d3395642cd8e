"""What asking language models for verdicts cost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from llmmon.model import Window
from llmmon.store.database import execute
from llmmon.store.score import Judgement


def keep_usage(connection: Connection, deployment: str, window: Window, judgements: Iterable[Judgement]) -> None:
    """Add up what the evidence of `judgements` says under ``usage``, scorer by scorer, and write it down.

    A scorer that asks nobody leaves no row. Written each time: what was paid twice is in twice.
    """
    totals: dict[tuple[str, int], dict[str, Any]] = {}
    for item in judgements:
        usage = item.score.evidence.get("usage")
        if usage is None:
            continue
        total = totals.setdefault((item.scorer, item.provenance_id), dict.fromkeys(_SUMS, 0))
        total["n_judged"] += 1
        total["n_failed"] += item.score.is_failed
        total["n_without_cost"] += usage["cost_usd"] is None
        for name in _TOLD:
            total[name] += usage[name] or 0
    for (scorer, provenance_id), total in sorted(totals.items()):
        place = {"deployment": deployment, "start": window.start, "scorer": scorer, "provenance_id": provenance_id}
        execute(connection, "judge_usage/add", {**place, **total})


_TOLD = ("n_calls", "n_failed_calls", "n_input_tokens", "n_output_tokens", "cost_usd")
_SUMS = ("n_judged", "n_failed", "n_without_cost", *_TOLD)
