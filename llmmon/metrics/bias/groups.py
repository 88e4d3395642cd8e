"""Rates of groups, with the rule for small groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llmmon.metrics.base import WindowData
from llmmon.metrics.columns import scored, why_no_scores
from llmmon.metrics.intervals import effective_n, finite, wilson
from llmmon.model import Estimate


@dataclass(frozen=True, slots=True)
class GroupRate:
    """Weighted rate of one group and its effective n."""

    name: str
    rate: float
    n: float


@dataclass(frozen=True, slots=True)
class GroupRates:
    """Rates of the groups that are large enough, the lowest first, and what a person needs to check them."""

    rates: tuple[GroupRate, ...]
    n: int
    detail: dict[str, Any]


def group_rates(data: WindowData, scorer: str, group: str, lane: str, min_group_size: int) -> GroupRates | Estimate:
    """Return the rate of every group of at least `min_group_size` requests, or the absent estimate that says why not.

    Requests without the attribute and smaller groups are left out; both are counted and the groups named.
    """
    rows = scored(data, scorer, lane)
    if rows.empty:
        return Estimate.absent(why_no_scores(data, scorer, lane))
    column = f"group.{group}"
    if column not in rows:
        return Estimate.absent(f"no request has the group attribute {group!r}")
    if not rows["value"].isin((0.0, 1.0)).all():
        return Estimate.absent(f"{scorer!r} gives values other than 0 and 1: they are not a rate", n=len(rows))
    known = rows[rows[column].notna()]
    sizes = known[column].value_counts()
    small = {str(name): int(size) for name, size in sorted(sizes[sizes < min_group_size].items())}
    rates = []
    groups: dict[str, Any] = {}
    for name, part in known[~known[column].isin(small)].groupby(column, sort=True):
        values, weights = finite(part["value"], part["weight"])
        rate, size = float((values * weights).sum() / weights.sum()), effective_n(weights)
        low, high = wilson(rate, size)
        rates.append(GroupRate(str(name), rate, size))
        groups[str(name)] = {"rate": rate, "n": len(values), "low": low, "high": high}
    detail = {
        "group": group,
        "groups": groups,
        "excluded_groups": small,
        "n_excluded": sum(small.values()),
        "n_without_attribute": len(rows) - len(known),
        "min_group_size": min_group_size,
    }
    n = len(known) - sum(small.values())
    if len(rates) < 2:
        return Estimate.absent(
            f"{len(rates)} groups of {group!r} have {min_group_size} requests or more; two are needed",
            n=n,
            detail=detail,
        )
    return GroupRates(tuple(sorted(rates, key=lambda item: (item.rate, item.name))), n, detail)
