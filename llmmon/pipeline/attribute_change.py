"""Attribute the change of a monitor: the three lanes of `attribution`, filled from windows.

The rows are the requests that were replayed, with the value that `request_values` reads on each lane. A judge's values
are all given anew by the scorer as it is now, on every lane, so that one judge sees all of them; beside them stand the
stored ones. Without replays the logged requests alone say what the mix of strata explains, and the rest has no name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from llmmon.metrics.base import WindowData
from llmmon.metrics.intervals import mean_estimate
from llmmon.model import LOGGED
from llmmon.pipeline.attribution import Attribution, Lanes, Share, attribute
from llmmon.pipeline.request_values import NoReading, Reading

if TYPE_CHECKING:
    import pandas

MIN_REPLAYS: Final = 3
PINNED: Final = "add a lane whose backend is a model of a pinned revision: lanes.reference = { backend = ... }"
SERVING: Final = "add a lane that asks the endpoint in production: lanes.serving = { backend = ... }"


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What the lanes say of a change.

    Parameters
    ----------
    attribution : Attribution or None
        None when nothing can be said, with the cause in `notes`.
    cause : str or None
        What carries most; None when it cannot be told yet.
    lanes : mapping of str to str or None
        The lanes that were compared: ``logged``, ``serving``, ``reference``.
    notes : tuple of str
        What could not be told, why, and which configuration would tell it.
    """

    attribution: Attribution | None
    cause: str | None
    lanes: dict[str, str | None]
    notes: tuple[str, ...]


def tell(
    before: WindowData,
    now: WindowData,
    reading: Reading | NoReading,
    *,
    judged_again: tuple[WindowData, WindowData] | None,
    serving: str | None,
    reference: str | None,
    strata: Sequence[str],
) -> Told:
    """Attribute the shift of what `reading` reads from `before` to `now`.

    Parameters
    ----------
    judged_again : tuple of WindowData or None
        Both sides with the scores of a judge as it is now; None where there is no judge.
    serving, reference : str or None
        Lane that replays on what serves now, and lane of a pinned model, where the deployment has them.
    strata : sequence of str
        Fields inside whose values prompts are taken to be alike.
    """
    lanes: dict[str, str | None] = {"logged": None, "serving": None, "reference": None}
    if isinstance(reading, NoReading):
        cause = "traffic" if reading.is_traffic else None
        return Told(attribution=None, cause=cause, lanes=lanes, notes=(reading.reason,))
    lanes = {"logged": reading.lane, "serving": serving, "reference": reference}
    notes = []
    if reading.lane == serving:
        lanes["serving"] = None
        notes.append(f"the monitor measures the lane {serving}: no other lane asks what serves now the same again")
    elif serving is None:
        notes.append(f"model and serving noise are not told apart; to tell them, {SERVING}")
    if reference is None:
        notes.append(f"model and traffic inside a stratum are not told apart; to tell them, {PINNED}")
    if reading.replayed == "none" or (reading.replayed == "what serves now" and reading.lane == LOGGED):
        lanes["reference"] = None
        notes.append(f"{reading.name} of a pinned model elsewhere is another quantity: its lane is not compared")
    if reading.replayed == "none":
        lanes["serving"] = None
    sides = (before, now)
    filled = [
        _lanes(side, reading, again, lanes, strata) for side, again in zip(sides, judged_again or sides, strict=True)
    ]
    if judged_again is None:
        filled = [replace(side, logged=None) for side in filled]
    doubt = doubt_of_serving(filled[0], filled[1]) if lanes["serving"] else None
    if doubt:
        notes.append(
            f"lane {lanes['serving']} {doubt}; it is left out; to tell model and serving noise apart, {SERVING}"
        )
        lanes["serving"] = None
        filled = [replace(side, serving=None) for side in filled]
    if min(len(side.stored) for side in filled) < MIN_REPLAYS:
        n0, n1 = (len(side.stored) for side in filled)
        notes.append(
            f"{n0} reference and {n1} current requests have a value on every lane; {MIN_REPLAYS} are needed on both: "
            "wait for the replay of later windows, or raise sample.per_window"
        )
        lanes["serving"] = lanes["reference"] = None
        filled = [_unreplayed(side, reading, strata) for side in sides]
        if min(len(side.stored) for side in filled) < MIN_REPLAYS:
            return Told(attribution=None, cause=None, lanes=lanes, notes=tuple(notes))
    found = attribute(*filled)
    if reading.scorer is None:
        nobody = Share(cause="judge", value=0.0, low=0.0, high=0.0, reason="nobody judges it: it is counted or timed")
        found = replace(found, shares=(*found.shares[:-1], nobody))
    cause = _merged(found.cause, lanes)
    if found.cause and cause is None:
        notes.append("what the mix of strata does not explain may be the model, serving, or other prompts in a stratum")
    return Told(attribution=found, cause=cause, lanes=lanes, notes=tuple(notes))


def doubt_of_serving(before: Lanes, now: Lanes) -> str | None:
    """Return why the serving lane may not ask what production served before the change; None where it is shown to.

    The A/A check of the lane: in the reference windows the 95% interval of logged minus serving must lie within half of
    the shift on either side of 0. A lane that is another model does not follow production, and what production moved
    away from it would pass for serving noise.
    """
    if before.serving is None or len(before.stored) < MIN_REPLAYS or not len(now.stored):
        return None
    mine = before.stored if before.logged is None else before.logged
    gap = mean_estimate(mine - before.serving[:, 0], before.weight, may_be_rate=False)
    shift = float(np.average(now.stored, weights=now.weight) - np.average(before.stored, weights=before.weight))
    if gap.value is None or gap.low is None or gap.high is None:
        is_same, is_other = gap.value == 0, False
    else:
        is_same = max(-gap.low, gap.high) <= abs(shift) / 2
        is_other = not gap.low <= 0 <= gap.high and abs(gap.value) >= abs(shift) / 2
    if is_same:
        return None
    if is_other:
        return "answered otherwise than production already in the reference windows: it is not what production serves"
    return (
        f"has not shown yet that it is what production serves: {len(mine)} replays of the reference windows do not "
        "tell whether it answered alike"
    )


def _merged(cause: str | None, lanes: dict[str, str | None]) -> str | None:
    """Return the name of what carries most, as far as the lanes can tell its parts from each other."""
    if cause != "model":
        return cause
    if lanes["reference"] is None:
        return None
    return "model" if lanes["serving"] else "model or serving noise"


def _lanes(
    data: WindowData, reading: Reading, again: WindowData, lanes: dict[str, str | None], strata: Sequence[str]
) -> Lanes:
    """Return the requests that have a value on every lane."""
    import pandas

    weights = data.responses.groupby("request_key")["weight"].first()
    columns = {"stored": reading.observed(data), "logged": reading.observed(again), "weight": weights}
    if lanes["reference"] is not None:
        answers = reading.answers(again, lanes["reference"])
        columns["reference"] = answers[answers["repeat"] == 0].set_index("request_key")["value"]
    repeated = None
    if lanes["serving"] is not None:
        answers = reading.answers(again, lanes["serving"])
        repeated = answers.sort_values(["request_key", "repeat"]).groupby("request_key")["value"].agg(list)
        columns["serving"] = repeated
    table = pandas.DataFrame(columns).dropna()
    serving = None
    if repeated is not None:
        # as many answers as most requests have; a request with fewer goes
        k = int(table["serving"].map(len).median()) if len(table) else 1
        table = table[table["serving"].map(len) >= k]
        serving = np.array([values[:k] for values in table["serving"]], dtype=float).reshape(len(table), k)
    return Lanes(
        weight=table["weight"].to_numpy(dtype=float),
        stratum=strata_of(data, table.index, strata),
        stored=table["stored"].to_numpy(dtype=float),
        logged=table["logged"].to_numpy(dtype=float),
        serving=serving,
        reference=table["reference"].to_numpy(dtype=float) if "reference" in table else None,
    )


def _unreplayed(data: WindowData, reading: Reading, strata: Sequence[str]) -> Lanes:
    """Return every logged request, without replays."""
    values = reading.observed(data).dropna()
    return Lanes(
        weight=np.ones(len(values)),
        stratum=strata_of(data, values.index, strata),
        stored=np.asarray(values, dtype=np.float64),
    )


def strata_of(
    data: WindowData, keys: pandas.Index[int], strata: Sequence[str]
) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    """Return the stratum of each of some requests: its values of the fields, joined."""
    rows = data.requests.set_index("request_key").reindex(keys)
    columns = [rows[name].fillna("").astype(str) for name in strata if name in rows]
    if not columns:
        return np.full(len(keys), "", dtype=np.str_)
    return np.array(["|".join(values) for values in zip(*columns, strict=True)], dtype=np.str_)
