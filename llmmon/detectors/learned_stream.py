"""The way of detectors that learn from reference windows first: learn a baseline, temper the evidence, then bet."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from llmmon.detectors.alternatives import Alternatives, Ratios
from llmmon.detectors.base import State, check_sides, counts, squared_error
from llmmon.detectors.baseline import Baseline, day_blocks, innovations, resampled_days
from llmmon.detectors.e_value import bounded
from llmmon.detectors.level_error import levels, n_levels
from llmmon.detectors.rhythm import hours_of
from llmmon.detectors.start_mixture import HOURS, Floats, advance, log_start_weights, paths, tempering
from llmmon.model import Direction, Evidence, Measurement

FEWEST: Final = 24
"""Reference windows that a baseline needs."""
_QUIET_WINDOWS: Final = 5000
"""Windows of resampled reference days on which the evidence is tempered."""
_TAKEN_FOR_GRANTED: Final = 1 / 8
"""Share of the smallest effect that windows may differ by without telling anything."""
_VERSION: Final = 2
"""Of what a state means; one that another version stored is learnt anew."""
_NEW_LEVEL: Final = 48
"""Windows from which the level is learnt anew after a change that people accepted."""


def check_burn_in(burn_in: int, sides: str) -> None:
    """Raise `ValueError` when there is too little to learn from, or no such side."""
    if burn_in < FEWEST:
        raise ValueError(
            f"burn_in is {burn_in}; expected at least {FEWEST} windows to learn from; "
            "reference_change learns from fewer"
        )
    if sides not in ("both", "worse"):
        raise ValueError(f"sides is {sides!r}; expected 'both' or 'worse'")


def begin() -> State:
    """Return the state of a stream of which nothing is known."""
    return {"learning": []}


def restart(state: State) -> State:
    """Return the state that keeps rhythm, spread and dependence, and learns the level anew."""
    return {"learning": [], "known": state["known"]} if "known" in state else begin()


def step(
    state: State,
    measurement: Measurement,
    alternatives: Alternatives,
    *,
    burn_in: int,
    sides: str,
    min_effect: float,
    direction: Direction,
) -> tuple[State, Evidence]:
    r"""Return the state and the evidence after one more window, as `Detector.step` does.

    Notes
    -----
    Each level :math:`c_j` keeps its own evidence M of `start_mixture` and its own likelihood N of no change, so that

    .. math:: E_t = \sum_j N_{j,t} M_{j,t} / \sum_j N_{j,t},\qquad N_{j,t} = w_j \prod_{s \le t} f(u_s - c_j).
    """
    check_sides(sides, direction)
    window, value = measurement.window, measurement.estimate.value
    common: dict[str, Any] = {"window": window, "value": value}
    if value is None:
        reason = f"no value: {measurement.estimate.reason}"
        return state, Evidence(**common, e_value=None, relevant=False, reason=reason)
    if "known" in state and state["known"].get("version") != _VERSION:
        state = begin()  # an older llmmon learnt it, another way
    floor = min_effect * _TAKEN_FOR_GRANTED
    row = [hours_of(window.start), value, squared_error(measurement)]
    length = (window.end - window.start).total_seconds() / 3600
    if "learning" in state:
        rows = [*state["learning"], row]
        missing = (min(_NEW_LEVEL, burn_in) if "known" in state else burn_in) - len(rows)
        if missing:
            reason = f"cannot tell yet: needs {missing} more window{'s' if missing > 1 else ''} to learn what is usual"
            return {**state, "learning": rows}, Evidence(**common, e_value=None, relevant=False, reason=reason)
        reason = "cannot tell yet: what is usual is learnt with this window"
        known = _known(state, rows, length, alternatives, floor)
        return known, Evidence(**common, e_value=None, relevant=False, reason=reason)
    state, log_e, expected = _tested(state, row, length, alternatives, floor)
    effect = value - expected
    likeliest = np.argmax(np.array(state["log_null"])[:, None] + alternatives.log_weights + state["log_a"])
    evidence = Evidence(
        **common,
        e_value=bounded(log_e),
        relevant=abs(effect) >= min_effect and counts(sides, effect, direction),
        reference_value=expected,
        effect=effect,
        detail={
            "n_reference_windows": state["n_reference"],
            "likeliest_start": _moment(np.ravel(state["since"])[likeliest]),
        },
    )
    return state, evidence


def log_evidence(
    values: Floats,
    variances: Floats,
    hours: Floats,
    alternatives: Alternatives,
    *,
    burn_in: int,
    min_effect: float = 0.0,
) -> Floats:
    """Return the log e-values of many streams at once, as `step` gives them one by one.

    Parameters
    ----------
    values, variances : arrays of shape (n_streams, n_windows)
        Measured values and their squared standard errors; the first `burn_in` windows are the reference.
    hours : array of shape (n_windows,)
        Window starts in hours of Unix time, evenly spaced.

    Returns
    -------
    array of shape (n_streams, n_windows - burn_in)
    """
    floor = min_effect * _TAKEN_FOR_GRANTED
    baseline = Baseline.learn(values[:, :burn_in], variances[:, :burn_in], hours[:burn_in], floor=floor)
    expected, spread = baseline.expectation(variances, hours, floor=floor)
    z = (values - expected) / spread
    known = z[:, :burn_in], expected[:, :burn_in], spread[:, :burn_in]
    cost, power = (part[:, :, None] for part in _quiet(baseline, *known, hours, alternatives.ratios))
    starts = log_start_weights(1, len(hours) - burn_in, windows_per_year=HOURS / (hours[1] - hours[0]))

    def found_in(rows: npt.NDArray[np.bool_], n: int) -> Floats:
        own, u = baseline.of(rows), innovations(z[rows], baseline.correlation[rows])
        centre = _centres(own, z[rows], burn_in)
        nulls, changes = [], []
        for away, log_weight in zip(*levels(n), strict=True):
            moved = centre + away * own.loose[:, None]
            first, later = (
                (part[..., burn_in:] - cost[rows]) * power[rows]
                for part in alternatives.ratios(own, z[rows], moved, expected[rows], spread[rows])
            )
            mixed = np.logaddexp.reduce(paths(first, later, starts) + alternatives.log_weights[:, None], axis=1)
            nulls.append(log_weight + own.log_density(u - moved)[:, burn_in:].cumsum(axis=1))
            changes.append(nulls[-1] + mixed)
        evidence: Floats = np.logaddexp.reduce(changes, axis=0) - np.logaddexp.reduce(nulls, axis=0)
        return evidence

    found = np.empty((len(values), len(hours) - burn_in))
    sizes = n_levels(baseline) if alternatives.integrates_level else np.ones(len(values), dtype=np.int64)
    for n in np.unique(sizes):
        found[sizes == n] = found_in(sizes == n, n)
    return found


def _centres(baseline: Baseline, z: Floats, burn_in: int) -> Floats:
    """Return the innovations' centre before every window: the reference's up to the first tested one."""
    u, centre, n = innovations(z, baseline.correlation), baseline.centre, baseline.n
    found = np.repeat(centre[:, None], z.shape[1], axis=1)
    for t in range(burn_in, z.shape[1]):
        found[:, t] = centre
        centre = baseline.next_centre(centre, u[:, t] - centre, n)
        n = n + np.isfinite(u[:, t])
    return found


def _quiet(
    baseline: Baseline, z: Floats, expected: Floats, spread: Floats, hours: Floats, ratios: Ratios
) -> tuple[Floats, Floats]:
    """Return what log ratios lose for a mean of at most 1 on quiet windows, and the power they are raised to."""
    places = resampled_days(z.shape[1], day_blocks(hours), n_windows=_QUIET_WINDOWS)
    centre = np.broadcast_to(baseline.centre[:, None], (len(z), len(places)))
    first, later = ratios(baseline, z[:, places], centre, expected[:, places], spread[:, places])
    first, later = first[..., 1:], later[..., 1:]  # before the first window there is none to jump from
    means = (np.logaddexp.reduce(part, axis=-1) - np.log(part.shape[-1]) for part in (first, later))
    cost = np.maximum(0.0, np.maximum(*means))
    return cost, tempering(first - cost[..., None], later - cost[..., None])


def _known(state: State, rows: list[list[float]], length: float, alternatives: Alternatives, floor: float) -> State:
    """Return the state of a stream whose reference is complete, or whose new level is."""
    hours, values, variances = _on_a_grid(rows, length)
    if "known" in state:
        old = Baseline.from_json(state["known"]["baseline"])
        away = np.nanmean(values - old.rhythm.at(hours)[0], axis=1, keepdims=True)
        rhythm = replace(old.rhythm, expected=old.rhythm.expected + away)
        error, n = old.level_error * np.sqrt(old.n / len(rows)), np.array([float(len(rows))])
        baseline = replace(old, rhythm=rhythm, level_error=error, n=n)
    else:
        baseline = Baseline.learn(values, variances, hours, floor=floor)
    expected, spread = baseline.expectation(variances, hours, floor=floor)
    z = (values - expected) / spread
    if "known" in state:
        quiet = {name: state["known"][name] for name in ("cost", "power")}
    else:
        cost, power = _quiet(baseline, z, expected, spread, hours, alternatives.ratios)
        quiet = {"cost": cost[0].tolist(), "power": power[0].tolist()}
    _, log_null = levels(int(n_levels(baseline)[0]) if alternatives.integrates_level else 1)
    return {
        "known": {"version": _VERSION, "baseline": baseline.to_json(), **quiet},
        "n_reference": len(rows),
        "n": 0,
        "centre": float(baseline.centre[0]),
        "last": [float(hours[-1]), float(z[0, -1])],
        "log_null": log_null.tolist(),
        "log_a": None,
        "since": None,
    }


def _tested(
    state: State, row: list[float], length: float, alternatives: Alternatives, floor: float
) -> tuple[dict[str, Any], float, float]:
    """Return the state after one more window, the log e-value, and what was expected of the window."""
    baseline = Baseline.from_json(state["known"]["baseline"])
    cost, power = (np.array(state["known"][name], dtype=np.float64) for name in ("cost", "power"))
    hours, last = row[0], state["last"]
    moments = np.array([hours - length, hours])
    expected, spread = baseline.expectation(np.full((1, 2), row[2]), moments, floor=floor)
    before = last[1] if abs(hours - last[0] - length) < length / 2 else np.nan
    z = np.array([[before, (row[1] - expected[0, 1]) / spread[0, 1]]])
    centre = np.array([state["centre"]])
    away, _ = levels(len(state["log_null"]))
    moved = centre + away[:, None] * baseline.loose  # of shape (n_levels, 1)
    each, both = np.broadcast_to(z, (len(moved), 2)), np.broadcast_to(moved, (len(moved), 2))
    first, later = (
        (part[:, :, 1] - cost) * power for part in alternatives.ratios(baseline, each, both, expected, spread)
    )
    n = state["n"] + 1
    u = innovations(z, baseline.correlation)[:, 1]
    log_null = np.array(state["log_null"]) + baseline.log_density(u - moved)[:, 0]
    centre = baseline.next_centre(centre, u - centre, baseline.n + state["n"])
    (weight,) = log_start_weights(n, n, windows_per_year=HOURS / length)
    old = np.full(first.shape, -np.inf) if state["log_a"] is None else np.array(state["log_a"], dtype=np.float64)
    log_a = advance(old, first, later, weight)
    since = np.where(weight + first >= old + later, hours, hours if state["since"] is None else state["since"])
    after = {
        **state,
        "n": n,
        "centre": float(centre[0]),
        "last": [hours, float(z[0, 1])],
        "log_null": (log_null - np.logaddexp.reduce(log_null)).tolist(),
        "log_a": log_a.tolist(),
        "since": since.tolist(),
    }
    mixed = np.logaddexp.reduce(log_a + alternatives.log_weights, axis=1)
    log_e = np.logaddexp.reduce(log_null + mixed) - np.logaddexp.reduce(log_null)
    return after, float(log_e), float(expected[0, 1])


def _on_a_grid(rows: list[list[float]], length: float) -> tuple[Floats, Floats, Floats]:
    """Return evenly spaced hours, and values and variances with NaN where a window is missing."""
    start = rows[0][0]
    places = [round((row[0] - start) / length) for row in rows]
    grid = np.full((2, 1, places[-1] + 1), np.nan)
    grid[0, 0, places] = [row[1] for row in rows]
    grid[1, 0, places] = [row[2] for row in rows]
    hours: Floats = start + length * np.arange(places[-1] + 1, dtype=np.float64)
    return hours, grid[0], grid[1]


def _moment(hours: float) -> str:
    return f"{datetime.fromtimestamp(hours * 3600, UTC):%Y-%m-%dT%H:%M:%S}"
