"""What is read to compute an alert's numbers again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from llmmon.model import Measurement, Window
from llmmon.store.alert import of_a_stream
from llmmon.store.database import fetch
from llmmon.store.measurement import measurement_of_row

Streams = dict[tuple[str, str], list[Measurement]]


def alert_to_reproduce(connection: Connection, alert_id: int) -> Row[Any]:
    """Return an alert of a stream with all it rests on.

    Raises
    ------
    UnknownAlertError
        When there is no such alert, or it is about a source.
    """
    return of_a_stream(fetch(connection, "reproduce/alert", {"alert_id": alert_id}), alert_id, to="compute")


def streams_as_known(connection: Connection, deployment: str, window: Window, known_at: datetime) -> Streams:
    """Return the measurements of every stream up to `window`, in the versions that were there at `known_at`."""
    place = {"deployment": deployment, "start": window.start, "known_at": known_at}
    streams: Streams = {}
    for row in fetch(connection, "reproduce/streams", place):
        streams.setdefault((row.monitor, row.segment), []).append(measurement_of_row(deployment, row))
    return streams


def detectors_at(
    connection: Connection, deployment: str, window: Window
) -> dict[tuple[str, str], tuple[str, Mapping[str, Any]]]:
    """Return the detector of every stream at `window`: its name and the parameters of its provenance."""
    rows = fetch(connection, "reproduce/detectors", {"deployment": deployment, "start": window.start})
    return {(row.monitor, row.segment): (row.plugin, row.parameters) for row in rows}


def late_rows(connection: Connection, deployment: str, span: Window, known_at: datetime) -> list[int]:
    """Return the requests of `span` that were loaded after `known_at`."""
    return [row.request_key for row in fetch(connection, "reproduce/late_rows", _place(deployment, span, known_at))]


def what_is_left(connection: Connection, deployment: str, span: Window, known_at: datetime) -> Row[Any]:
    """Return counts over `span`: requests, those whose texts are gone, and what was done after `known_at`."""
    return fetch(connection, "reproduce/what_is_left", _place(deployment, span, known_at))[0]


def _place(deployment: str, span: Window, known_at: datetime) -> dict[str, Any]:
    return {"deployment": deployment, "start": span.start, "end": span.end, "known_at": known_at}
