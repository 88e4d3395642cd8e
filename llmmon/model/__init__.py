"""The records that every part of llmmon shares: frozen, plain, free of I/O.

Times are timezone-aware UTC. A missing number is ``None``, never zero and never NaN.
"""

from __future__ import annotations

from llmmon.model.json import Json, digest_of
from llmmon.model.measurement import (
    BETS,
    STANDARD_ERROR,
    Alert,
    Direction,
    Estimate,
    Evidence,
    Measurement,
    Provenance,
    Segment,
    Severity,
    Stage,
)
from llmmon.model.replay import LOGGED, ReplayItem, Response, Sample
from llmmon.model.request import Document, Message, RequestLog, Status, last_user_turn
from llmmon.model.score import Scorable, Score, Span
from llmmon.model.stereotype import StereotypeFigure
from llmmon.model.window import Window

__all__ = [
    "BETS",
    "LOGGED",
    "STANDARD_ERROR",
    "Alert",
    "Direction",
    "Document",
    "Estimate",
    "Evidence",
    "Json",
    "Measurement",
    "Message",
    "Provenance",
    "ReplayItem",
    "RequestLog",
    "Response",
    "Sample",
    "Scorable",
    "Score",
    "Segment",
    "Severity",
    "Span",
    "Stage",
    "Status",
    "StereotypeFigure",
    "Window",
    "digest_of",
    "last_user_turn",
]
