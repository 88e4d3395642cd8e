"""A batch beside earlier ones of its source: whether its volume is usual and the fields are there that were."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Connection

from llmmon.config import GateConfig, Judgement
from llmmon.errors import BadRowError
from llmmon.pipeline.gate import FIELDS, Part, great_expectations, validate
from llmmon.pipeline.usual_volume import REACH, HourVolume, usual_volume
from llmmon.sources.base import RawRow
from llmmon.sources.json_text import read_object
from llmmon.store.batch import Batch
from llmmon.store.source_history import (
    filled_before,
    hour_of,
    kept_back,
    known_by_hour,
    names_before,
    requests_by_hour,
)

_HOUR: Final = timedelta(hours=1)
_SEVERITY: Final[Mapping[Judgement, str]] = {"hold": "critical", "warn": "warning"}
_BATCHES_BEFORE: Final = 20
_CHANCE: Final = 1e-6
_ROWS_LOOKED_AT: Final = 500
_MOST_NAMES: Final = 200
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}")
_FIRST: Final = "no earlier batch of this source is known"


def compare(
    connection: Connection,
    batch: Batch,
    rows: Sequence[RawRow],
    gate: GateConfig,
    *,
    is_last: bool,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Compare a batch with what earlier ones of its source were like; those must be loaded by now.

    Parameters
    ----------
    rows : sequence of RawRow
        What the batch was read from.
    is_last : bool
        Whether nothing more of the source is there to be read: an hour that is over by the clock is then complete.
        Before that, another file may hold more of it.
    now : datetime or None
        The clock's, unless given.

    Returns
    -------
    mapping
        The parts ``volume``, ``fields`` and ``names``, unless they are off, and ``filled``, ``n_requests`` and
        ``field_names``, with which later batches are compared.
    """
    found: dict[str, Any] = {}
    if batch.requests and gate.unusual_volume != "off":
        hours = _hours(connection, batch, ended_by=(now or datetime.now(UTC)) if is_last else None)
        found["volume"] = _volume(hours, _SEVERITY[gate.unusual_volume])
    n = len(batch.requests)
    filled = {name: n - list(map(attrgetter(name), batch.requests)).count(None) for name in FIELDS}
    if batch.requests and gate.missing_fields != "off":
        before = filled_before(connection, batch.source, n_batches=_BATCHES_BEFORE)
        found["fields"] = _fields(filled, before, n, _SEVERITY[gate.missing_fields])
    names = _names_of(rows)
    if names and gate.unknown_fields != "off":
        known = names_before(connection, batch.source, n_batches=10 * _BATCHES_BEFORE)
        found["names"] = _names(names, known, _SEVERITY[gate.unknown_fields])
    return {**found, "filled": filled, "n_requests": n, "field_names": names}


def _hours(connection: Connection, batch: Batch, *, ended_by: datetime | None) -> list[HourVolume]:
    """Judge every hour that the batch has requests of."""
    here = Counter(hour_of(request.occurred_at) for request in batch.requests)
    first, last = min(here), max(here)
    before = requests_by_hour(connection, batch.source, first - REACH, last)
    # hours of this batch are history for its later ones; where the store has them too, the log may be read again
    history = {**before, **{hour: max(before.get(hour, 0), n) for hour, n in here.items()}}
    aside = kept_back(connection, batch.source, first - REACH, last + _HOUR)

    def judge(hour: datetime, n: int) -> HourVolume:
        ended = ended_by is not None and hour + _HOUR <= ended_by
        return usual_volume(hour, n, history, kept_back=aside, ended=ended)

    found = {hour: judge(hour, before.get(hour, 0) + n) for hour, n in here.items()}
    if any(item.high is not None and item.n > item.high for item in found.values()):
        # what the store knows already does not count twice
        ids = [request.request_id for request in batch.requests]
        for hour, n_known in known_by_hour(connection, batch.source, ids).items():
            if hour in here:
                found[hour] = judge(hour, before.get(hour, 0) + here[hour] - n_known)
    return [found[hour] for hour in sorted(found)]


def _volume(hours: list[HourVolume], severity: str) -> Part:
    judged = [item for item in hours if item.low is not None]
    part: Part = {"results": []}
    if judged:
        gx = great_expectations().expectations
        import pandas as pd

        frame = pd.DataFrame(
            {
                "n_requests": [item.n for item in judged],
                "usual_low": [item.low for item in judged],
                "usual_high": [item.high for item in judged],
            }
        )
        pairs = (("n_requests", "usual_low"), ("usual_high", "n_requests"))
        expectations = [
            gx.ExpectColumnPairValuesAToBeGreaterThanB(column_A=more, column_B=less, or_equal=True, severity=severity)
            for more, less in pairs
        ]
        part = validate(frame, expectations, lambda item: _say_volume(judged, item))
    silent = [item for item in hours if item.low is None]
    if silent:
        part["not_judged"] = f"{len(silent)} of {len(hours)} hours: {silent[0].reason}"
    return part


def _say_volume(judged: list[HourVolume], item: Mapping[str, Any]) -> str:
    is_low = item["expectation_config"]["kwargs"]["column_A"] == "n_requests"
    broken = [each for each in judged if (each.n < (each.low or 0) if is_low else each.n > (each.high or math.inf))]
    worst = (
        min(broken, key=lambda each: each.n / (each.low or 1))
        if is_low
        else max(broken, key=lambda each: each.n / (each.high or 1))
    )
    more = "" if len(broken) == 1 else f", and {len(broken) - 1} more hours"
    usual = f"{worst.low:,.0f} to {worst.high:,.0f}" if worst.low else f"up to {worst.high:,.0f}"
    return (
        f"{worst.n:,} requests in the hour from {worst.hour:%H:%M} UTC on {worst.hour.day} {worst.hour:%B %Y}, "
        f"{usual} are usual ({worst.n_history} earlier hours){more}"
    )


def _fields(filled: Mapping[str, int], before: Mapping[str, tuple[int, int]], n_requests: int, severity: str) -> Part:
    """Check that every field is filled in somewhere that can be expected to be, after what earlier batches held."""
    if not before:
        return {"results": [], "not_judged": _FIRST}
    gx = great_expectations().expectations
    import pandas as pd

    expected = sorted(name for name, counts in before.items() if _chance_of_none(*counts, n_requests) < _CHANCE)
    here = [name for name in FIELDS if filled[name]]
    missing = sorted(set(expected) - set(here))
    frame = pd.DataFrame([[1] * len(here)], columns=here)
    # new fields are welcome; what has gone is told
    wanted = gx.ExpectTableColumnsToMatchSet(column_set=sorted({*expected, *here}), exact_match=True, severity=severity)
    return validate(frame, [wanted], lambda _: f"no request has {', '.join(missing)}, which earlier batches had")


def _names_of(rows: Sequence[RawRow]) -> list[str]:
    """Return the outermost field names of some of the rows, where they are JSON; what is no name is left out."""
    found: set[str] = set()
    for row in rows[:: max(1, len(rows) // _ROWS_LOOKED_AT)]:
        try:
            found.update(filter(_NAME.fullmatch, read_object(row.raw)[0]))
        except BadRowError:
            continue
    return sorted(found)[:_MOST_NAMES]


def _names(names: Sequence[str], known: Set[str], severity: str) -> Part:
    """Check that every field of the log is one that earlier batches had: a new one may be an old one renamed."""
    if not known:
        return {"results": [], "not_judged": _FIRST}
    gx = great_expectations().expectations
    import pandas as pd

    frame = pd.DataFrame([[1] * len(known)], columns=sorted(known))
    wanted = gx.ExpectTableColumnsToMatchSet(column_set=list(names), exact_match=False, severity=severity)
    new = ", ".join(name for name in names if name not in known)
    return validate(frame, [wanted], lambda _: f"fields of the log that no earlier batch had: {new}")


def _chance_of_none(n_filled: int, n_before: int, n: int) -> float:
    """Return the chance (beta-binomial) that none of `n` requests has a field that `n_filled` of `n_before` had."""
    has, lacks = n_filled + 0.5, n_before - n_filled + 0.5
    log_chance = math.lgamma(lacks + n) + math.lgamma(has + lacks) - math.lgamma(lacks) - math.lgamma(has + lacks + n)
    return math.exp(log_chance)
