"""What an alert says, in plain words: names, numbers and times; never the text of a request or an answer."""

from __future__ import annotations

import math
from typing import Final

from llmmon.model import Evidence, Measurement

_SHARES: Final = frozenset({"0/1", "share", "probability"})
_LONGEST_NAME: Final = 80


def title_of(measurement: Measurement, evidence: Evidence) -> str:
    """Return one line: who, what, from where to where.

    Examples
    --------
    The line reads ``survey-gpt4: refusal rate rose from 1.7% to 76.9%``.
    """
    return f"{_plain(measurement.deployment)}: {_change(measurement, evidence)}{_place(measurement, '')}"


def sentence_of(measurement: Measurement, evidence: Evidence) -> str:
    """Return the whole finding in one sentence: change, interval, n, place, time, and how sure it is."""
    estimate = measurement.estimate
    if estimate.low is None or estimate.high is None:
        interval = f"no interval: {_plain(estimate.reason)}" if estimate.reason else "no interval"
    else:
        interval = f"95% interval {_range(estimate.low, estimate.high, measurement.unit)}"
    start = measurement.window.start
    return (
        f"{_plain(measurement.deployment)}: {_change(measurement, evidence)} ({interval}, n = {estimate.n:,})"
        f"{_place(measurement, ' in all traffic')} at {start:%H:%M} UTC on {start.day} {start:%B %Y}; "
        f"{_chance(evidence)}."
    )


def amount(value: float, unit: str) -> str:
    """Return `value` with its unit as people write it.

    Examples
    --------
    >>> amount(0.7692, "0/1"), amount(5730.1, "ms"), amount(0.0139, "USD"), amount(52.34, "words")
    ('76.9%', '5.73 s', '0.0139 USD', '52.3 words')
    >>> amount(0.62, "ratio"), amount(-0.123, "difference of rates")
    ('0.62', '-12.3 points')
    """
    if _is_share(unit):
        return f"{100 * value:.1f}%"
    if unit == "ms":
        return f"{_digits(value / 1000)} s" if abs(value) >= 1000 else f"{_digits(value)} ms"
    if unit == "difference of rates":
        return f"{100 * value:.1f} points"
    if unit == "ratio":
        return _digits(value)
    return f"{_digits(value)} {unit}".rstrip()


def _change(measurement: Measurement, evidence: Evidence) -> str:
    name = _plain(measurement.monitor.replace("-", " ").replace("_", " "))
    value, reference, unit = evidence.value, evidence.reference_value, measurement.unit
    if value is None or reference is None:
        return f"{name} changed"
    now, before = amount(value, unit), amount(reference, unit)
    if "limit" in evidence.detail:
        side = "above" if evidence.detail["worse"] == "above" else "below"
        return f"{name} is {now}, {side} the limit of {before}"
    return f"{name} {'rose' if value > reference else 'fell'} from {before} to {now}"


def _place(measurement: Measurement, whole: str) -> str:
    dimension, equals, value = measurement.segment.partition("=")
    if not equals:
        return whole
    return f" where {_plain(dimension.removeprefix('group.'))} is {_plain(value)}"


def _chance(evidence: Evidence) -> str:
    # Ville: evidence of e or more ever turns up with a chance of at most 1/e while nothing changes
    e_value = evidence.e_value or 1.0
    if e_value >= 1e6:
        return "the chance of this if nothing had changed is below 1 in 1,000,000"
    rounded = 10 ** math.floor(math.log10(e_value))
    return f"the chance of this if nothing had changed is below 1 in {math.floor(e_value / rounded) * rounded:,.0f}"


def _range(low: float, high: float, unit: str) -> str:
    if _is_share(unit):
        return f"{100 * low:.1f} to {100 * high:.1f}%"
    if unit == "ms":
        return f"{amount(low, unit)} to {amount(high, unit)}"
    if unit == "difference of rates":
        return f"{100 * low:.1f} to {100 * high:.1f} points"
    return f"{_digits(low)} to {amount(high, unit)}"


def _is_share(unit: str) -> bool:
    return unit in _SHARES or unit.startswith("share of ")


def _digits(value: float) -> str:
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.{max(2 - math.floor(math.log10(abs(value))), 0)}f}".rstrip("0").rstrip(".")


def _plain(text: str) -> str:
    # segment values come from logs: one line, no control characters, not endless
    line = "".join(character if character.isprintable() else " " for character in text)
    return line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 3]}..."
