"""What stereotype probes found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection

from llmmon.model import StereotypeFigure
from llmmon.store.database import execute


def keep_figures(
    connection: Connection, deployment: str, probe: str, figures: Sequence[StereotypeFigure], provenance_id: int
) -> None:
    """Write the figures of one probe, as run now."""
    rows = [
        {
            "place": place,
            "category": figure.category,
            "figure": figure.figure,
            "unit": figure.unit,
            "neutral": figure.neutral,
            **asdict(figure.estimate),
        }
        for place, figure in enumerate(figures)
    ]
    given = {"deployment": deployment, "probe": probe, "provenance_id": provenance_id}
    execute(connection, "stereotype/keep", {**given, "figures": json.dumps(rows, allow_nan=False)})
