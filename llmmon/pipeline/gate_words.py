"""What a failed expectation says to a person: numbers, limits and names of columns; never a text of a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

_Item = Mapping[str, Any]


def say(item: _Item) -> str:
    """Return an expectation that failed, as Great Expectations returned it, in words."""
    config = item["expectation_config"]
    column = config["kwargs"].get("column")
    words = _WORDS.get((config["type"], column)) or _WORDS.get((config["type"], None))
    if words is not None:
        return words(item)
    limits = ", ".join(
        f"{key} {_shown(value)}" for key, value in config["kwargs"].items() if key not in {"batch_id", "column"}
    )
    return f"{config['type']}({column or 'batch'}: {limits}): {_seen(item)}"


def _kwargs(item: _Item) -> Mapping[str, Any]:
    found: Mapping[str, Any] = item["expectation_config"]["kwargs"]
    return found


def _observed(item: _Item) -> Any:
    return item["result"].get("observed_value")


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def _broken(item: _Item) -> str:
    return _percent(item["result"]["unexpected_percent"] / 100)


def _seen(item: _Item) -> str:
    if _observed(item) is not None:
        return f"observed {_shown(_observed(item))}"
    return f"{_broken(item)} of values break it" if "unexpected_percent" in item["result"] else "not fulfilled"


def _shown(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _age(hours: float) -> str:
    return f"{hours:.3g} h" if hours < 48 else f"{hours / 24:.3g} days"


_WORDS: Final[Mapping[tuple[str, str | None], Callable[[_Item], str]]] = {
    ("expect_table_row_count_to_be_between", None): lambda item: (
        f"it has {_observed(item):,} rows, at least {_kwargs(item)['min_value']:,} are expected"
    ),
    ("expect_column_mean_to_be_between", "is_bad"): lambda item: (
        f"{_percent(_observed(item))} of its rows cannot be read, at most {_percent(_kwargs(item)['max_value'])} may"
    ),
    ("expect_column_values_to_not_be_null", None): lambda item: (
        f"{_broken(item)} of its requests have no {_kwargs(item)['column']}, at most "
        f"{_percent(1 - _kwargs(item)['mostly'])} may"
    ),
    ("expect_column_min_to_be_between", "age_hours"): lambda item: (
        f"its newest request is {_age(_observed(item))} old, at most {_age(_kwargs(item)['max_value'])} is expected"
    ),
    ("expect_column_values_to_be_between", "age_hours"): lambda item: (
        f"{_broken(item)} of its requests lie more than {-60 * _kwargs(item)['min_value']:.3g} minutes in the future: "
        "clocks differ"
    ),
    ("expect_column_values_to_be_between", None): lambda item: (
        f"{_broken(item)} of the values of {_kwargs(item)['column']} are not from {_kwargs(item)['min_value']:,} to "
        f"{_kwargs(item)['max_value']:,}"
    ),
}
