"""How numbers, times and units are written on the pages; an absent value is a dash, never a zero."""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from markupsafe import Markup

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_REORDERING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_SHARE = "share"  # units such as "share of requests"; a scorer that says yes or no has the unit "0/1"


def number(value: float | None, unit: str | None = None) -> str:
    """Write `value` to three significant digits; a share becomes a percentage.

    Examples
    --------
    >>> number(5730.2), number(0.01388), number(0.25, "0/1"), number(0.0)
    ('5,730', '0.0139', '25.0%', '0')
    """
    if value is None or math.isnan(value):
        return DASH
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if is_share(unit):
        return f"{value * 100:.1f}%"
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1e7 or size < 1e-4:
        return _scientific(value)
    if size >= 100:
        return f"{value:,.0f}"
    text = f"{value:.{max(0, 2 - math.floor(math.log10(size)))}f}"
    return text.rstrip("0").rstrip(".") if size >= 1 else text


def _scientific(value: float) -> str:
    mantissa, exponent = f"{value:.1e}".split("e")
    power = f"10{str(int(exponent)).translate(_SUPERSCRIPT)}"
    return power if mantissa == "1.0" else f"{mantissa.removesuffix('.0')}{TIMES}{power}"


def is_share(unit: str | None) -> bool:
    """Return whether `unit` is a part of one, so that it reads best as a percentage."""
    return unit is not None and (unit == "0/1" or unit.startswith(_SHARE))


def unit_label(unit: str | None) -> str:
    """Return the unit to write after a number; a percentage carries its own."""
    if unit is None or unit == "0/1":
        return ""
    return unit.removeprefix(_SHARE).strip() if is_share(unit) else unit


def interval(low: float | None, high: float | None, unit: str | None = None) -> str:
    """Write a 95% interval."""
    return DASH if low is None or high is None else f"{number(low, unit)} to {number(high, unit)}"


def signed(value: float | None, unit: str | None = None) -> str:
    """Write a difference with its sign; between shares it is in percentage points."""
    if value is None:
        return DASH
    text = f"{abs(value) * 100:.1f} pp" if is_share(unit) else number(abs(value))
    return f"{'+' if value >= 0 else MINUS}{text}"


def count(value: int | None) -> str:
    """Write a count with thousands separated."""
    return DASH if value is None else f"{value:,}"


def times(value: float | None) -> str:
    """Write an e-value or a threshold of one; the large ones as a power of ten."""
    if value is None or math.isnan(value) or math.isinf(value):
        return number(value)
    if value < 0.01:
        return "< 0.01"
    return number(value) if value < 1e5 else _scientific(value)


def tick(value: float, unit: str | None = None) -> str:
    """Write a round number of an axis without the zeros that only state precision."""
    text = number(value, unit)
    return re.sub(r"\.0*(?=%|$)|(\.\d*?)0+(?=%|$)", r"\1", text)


def visible(value: Any) -> Any:
    """Name the characters that would reorder the text around them, so that a log cannot be read as something else."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return _REORDERING.sub(lambda match: f"[U+{ord(match.group()):04X}]", value)


def moment(value: datetime | None) -> str:
    """Write a time to the minute, in UTC."""
    return DASH if value is None else value.astimezone(UTC).strftime("%-d %b %Y %H:%M")


def second(value: datetime | str | None) -> str:
    """Write a time to the second, in UTC."""
    if isinstance(value, str):  # from jsonb
        value = datetime.fromisoformat(value)
    return DASH if value is None else value.astimezone(UTC).strftime("%-d %b %Y %H:%M:%S")


def short(value: datetime | None) -> str:
    """Write a time without its year, for axes and narrow columns."""
    return DASH if value is None else value.astimezone(UTC).strftime("%-d %b %H:%M")


def window(start: datetime, end: datetime) -> str:
    """Write a window; its end without the date where both lie on one day."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    same_day = start.date() == end.date()
    return f"{start.strftime('%-d %b %Y %H:%M')} to {end.strftime('%H:%M' if same_day else '%-d %b %H:%M')}"


def age(value: timedelta) -> str:
    """Write how long something is ago, in its largest unit.

    Examples
    --------
    >>> age(timedelta(minutes=59)), age(timedelta(hours=30)), age(timedelta(days=3))
    ('59 min', '30 h', '3 days')
    """
    hours = value.total_seconds() / 3600
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:,.0f} days"


def key(start: datetime) -> str:
    """Return Airflow's partition key of the window that begins at `start`."""
    return start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def compact(value: Any) -> str:
    """Write a small JSON value on one line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def change_made(change: Mapping[str, Any]) -> str:
    """Write what a variant changed in a prompt: its settings, then the words it exchanged.

    Examples
    --------
    >>> change_made({"rule": "typo", "rate": 0.05, "terms": [{"rule": "exchange", "from": "about", "to": "abuot"}]})
    'rate 0.05; about → abuot'
    """
    settings = [
        f"{words(name)} {', '.join(map(str, value)) if isinstance(value, list) else compact(value)}"
        for name, value in change.items()
        if name not in ("rule", "terms")
    ]
    terms = [f"{term.get('from', '?')} → {term.get('to', '?')}" for term in change.get("terms", ())]
    return "; ".join(", ".join(part) for part in (settings, terms) if part)


def words(value: str) -> str:
    """Turn an identifier of the store into words."""
    return value.replace("_", " ")


FILTERS = {
    "number": number,
    "unit_label": unit_label,
    "signed": signed,
    "count": count,
    "times": times,
    "moment": moment,
    "second": second,
    "short": short,
    "tick": tick,
    "age": age,
    "key": key,
    "compact": compact,
    "change_made": change_made,
    "words": words,
}
