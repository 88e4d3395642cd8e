"""Numbers and times of a mapped row, as the options of a field say they are written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from llmmon.errors import BadRowError
from llmmon.sources.values import moment as logged_moment

Row = Mapping[str, Any]
Getter = Callable[[Row], Any]
"""Reads one value of a row; None where there is none."""

_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FINE_FRACTION: Final = re.compile(r"(\.\d{6})\d+")


def number(get: Getter, scale: float, name: str) -> Getter:
    """Return what reads a number, written as text or not, times `scale`; `BadRowError` where it is other text."""

    def read(row: Row) -> Any:
        value = get(row)
        if isinstance(value, str):  # every value of a CSV file is text
            try:
                value = float(value)
            except ValueError:
                raise BadRowError("wrong_type", f"{name}: expected a number, found other text") from None
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return value
        try:
            return value * scale
        except OverflowError:
            raise BadRowError("number_out_of_range", f"{name}: expected a number that fits 64 bits") from None

    return read


def moment(get: Getter, options: Mapping[str, Any], name: str) -> Getter:
    """Return what reads a time by ``start`` and ``step_s``, ``unit`` or ``format``; `BadRowError` where it is not."""
    if "start" in options:
        start = datetime.fromisoformat(options["start"])
        start = start.replace(tzinfo=UTC) if start.tzinfo is None else start
        seconds = number(get, float(options.get("step_s", 1)), name)

        def count_on(row: Row) -> str | None:
            step = seconds(row)
            if step is None:
                return None
            try:
                return (start + timedelta(seconds=step)).isoformat()
            except TypeError:
                raise BadRowError("wrong_type", f"{name}: expected the number of a step") from None
            except (OverflowError, ValueError):
                raise BadRowError("time_out_of_range", f"{name}: so many steps lead out of the calendar") from None

        return count_on
    if "unit" in options:
        if options["unit"] not in _PER_SECOND:
            raise ValueError(f"fields.{name}.unit: expected {', '.join(_PER_SECOND)}, got {options['unit']!r}")
        return _since_1970(get, _PER_SECOND[options["unit"]], name)
    layout = options.get("format")

    def read(row: Row) -> Any:
        value = get(row)
        if not isinstance(value, str):
            return value
        # Python keeps microseconds; what is finer would be refused
        value = _FINE_FRACTION.sub(r"\1", value)
        if layout is None:
            return value
        try:
            return datetime.strptime(value, layout).replace(tzinfo=None).isoformat()  # noqa: DTZ007  UTC is added later
        except ValueError:
            raise BadRowError("malformed_time", f"{name}: is not written as {layout}") from None

    return read


def _since_1970(get: Getter, per_second: int, name: str) -> Getter:
    as_number = number(get, 1 / per_second, name)

    def read(row: Row) -> Any:
        value = get(row)
        if isinstance(value, str) and value.isdecimal() and len(value) < 20:
            value = int(value)
        if type(value) is not int:
            return as_number(row)
        try:  # in whole numbers, because a float holds nanoseconds since 1970 to some hundreds of them
            return (_EPOCH + timedelta(microseconds=value * 10**6 // per_second)).isoformat()
        except OverflowError:
            raise BadRowError("time_out_of_range", f"{name}: leads out of the calendar") from None

    return read


def elapsed(start: Getter, end: Getter, options: Mapping[str, Any], name: str) -> Getter:
    """Return what reads the milliseconds from one time to another."""
    times = [moment(get, options, name) for get in (start, end)]

    def read(row: Row) -> float | None:
        found = [get(row) for get in times]
        if any(value is None for value in found):
            return None
        first, last = (logged_moment(value, name) for value in found)
        return (last - first) / timedelta(milliseconds=1)

    return read
