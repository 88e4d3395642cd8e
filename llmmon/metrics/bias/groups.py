"""Rates of groups, with the rules for small groups, many groups and missing attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from llmmon.metrics.base import WindowData
from llmmon.metrics.columns import scored, why_no_scores
from llmmon.metrics.independence import Rows
from llmmon.metrics.rates import rate_interval, worth
from llmmon.model import LOGGED, Estimate

if TYPE_CHECKING:
    import pandas

_MOST_GROUPS: Final = 30
"""Groups that are compared, the largest; names come from logs, which may hold anything."""
_LONGEST_NAME: Final = 80
NAME: Final = "group"
"""Column of the rows with the name of the row's group."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupRate:
    """Weighted rate of one group.

    Parameters
    ----------
    n_rows : int
        Requests of the group.
    n : float
        Independent requests that they are worth, by their weights and by how many come from one user.
    """

    name: str
    rate: float
    n_rows: int
    n: float

    @classmethod
    def of(cls, name: str, rows: pandas.DataFrame) -> GroupRate:
        """Return the rate of the rows of one group."""
        given = Rows.of(rows["value"], rows["weight"], rows["cluster"])
        return cls(name=name, rate=given.mean, n_rows=given.n, n=worth(*given.sizes()))

    def as_detail(self) -> dict[str, Any]:
        """Return what a person needs to check the rate, with its exact 95% interval."""
        low, high = rate_interval(self.rate, self.n)
        return {"rate": self.rate, "n": self.n_rows, "low": low, "high": high}


@dataclass(frozen=True, kw_only=True, slots=True)
class Groups:
    """The groups that are compared, at least two, the lowest rate first; ties by name.

    Parameters
    ----------
    rows : pandas.DataFrame
        Their requests: ``value, weight, cluster`` and the group's name as `NAME`.
    detail : dict
        Every group's rate, and who was left out and why.
    """

    rates: tuple[GroupRate, ...]
    rows: pandas.DataFrame
    detail: dict[str, Any]

    @property
    def n(self) -> int:
        """Requests of the groups that are compared."""
        return len(self.rows)

    @property
    def n_pairs(self) -> int:
        """Unordered pairs of groups."""
        return len(self.rates) * (len(self.rates) - 1) // 2

    def rest(self, name: str) -> GroupRate:
        """Return the rate of all groups but one."""
        return GroupRate.of(f"all but {name}", self.rows[self.rows[NAME] != name])

    def share(self, name: str) -> float:
        """Return a group's share of the weight."""
        weights = self.rows["weight"]
        return float(weights[self.rows[NAME] == name].sum() / weights.sum())


@dataclass(frozen=True, kw_only=True, slots=True)
class OverGroups:
    """What every metric over groups is told; see `llmmon.metrics.bias.impact_ratio` for the parameters."""

    plugin_name: ClassVar[str]

    scorer: str
    group: str | Sequence[str]
    min_group_size: int = 10
    pool_small: bool = False
    max_missing: float = 0.5
    lane: str = LOGGED

    def __post_init__(self) -> None:
        if not isinstance(self.group, str):
            object.__setattr__(self, "group", tuple(self.group))
        if not self.group or not all(isinstance(name, str) and name for name in self.attributes):
            raise ValueError(f"group: expected a group attribute or a list of them, got {self.group!r}")
        if self.min_group_size < 2:
            raise ValueError(f"min_group_size: expected at least 2, got {self.min_group_size}")
        if not 0 <= self.max_missing <= 1:
            raise ValueError(f"max_missing: expected a share from 0 to 1, got {self.max_missing}")

    @property
    def attributes(self) -> tuple[str, ...]:
        """Attributes whose values together make a group."""
        return (self.group,) if isinstance(self.group, str) else tuple(self.group)

    def judged(self, data: WindowData) -> pandas.DataFrame | Estimate:
        """Return requests with their 0/1 score as ``value``, or the absent estimate that says why there are none."""
        rows = scored(data, self.scorer, self.lane)
        if rows.empty:
            return Estimate.absent(why_no_scores(data, self.scorer, self.lane))
        for name in self.attributes:
            if f"group.{name}" not in rows:
                return Estimate.absent(f"no request has the group attribute {name!r}")
        if not rows["value"].isin((0.0, 1.0)).all():
            return Estimate.absent(f"{self.scorer!r} gives values other than 0 and 1: they are not a rate", n=len(rows))
        return rows

    def compared(self, data: WindowData) -> Groups | Estimate:
        """Return the rates of the groups among all that is judged, or the absent estimate that says why not."""
        rows = self.judged(data)
        return rows if isinstance(rows, Estimate) else self.grouped(rows)

    def grouped(self, rows: pandas.DataFrame, of: str = "") -> Groups | Estimate:
        """Return the rates of the groups in `rows`, or the absent estimate that says why they cannot be compared.

        Parameters
        ----------
        of : str
            What the rows are, for the reason, such as "deserving".
        """
        told = " and ".join(map(repr, self.attributes))
        columns = rows[[f"group.{name}" for name in self.attributes]]
        known = rows[columns.notna().all(axis=1)]
        n_without = len(rows) - len(known)
        detail: dict[str, Any] = {
            "group": list(self.attributes) if len(self.attributes) > 1 else self.attributes[0],
            "n_without_attribute": n_without,
            "min_group_size": self.min_group_size,
        }
        if len(rows) and n_without > self.max_missing * len(rows):
            reason = (
                f"{told} is missing for {n_without} of {len(rows)} requests, more than max_missing = "
                f"{self.max_missing:g} allows: those that have it may be unlike the rest"
            )
            return Estimate.absent(reason, n=len(known), detail=detail)
        named = known.assign(**{NAME: _names(columns.loc[known.index])})
        kept, left_out = self._chosen(named)
        parts = [(str(name), part) for name, part in kept.groupby(NAME, sort=True)]
        rates = [GroupRate.of(name, part) for name, part in parts]
        detail |= {"groups": {rate.name: rate.as_detail() for rate in rates}, **left_out}
        if len(rates) < 2:
            which = f"{of} requests" if of else "requests"
            reason = f"{len(rates)} groups of {told} have {self.min_group_size} {which} or more; two are needed"
            return Estimate.absent(reason, n=len(kept), detail=detail)
        ordered = tuple(sorted(rates, key=lambda item: (item.rate, item.name)))
        return Groups(rates=ordered, rows=kept, detail=detail)

    def _chosen(self, named: pandas.DataFrame) -> tuple[pandas.DataFrame, dict[str, Any]]:
        """Return the rows of the groups that are compared, and the account of the others."""
        sizes = sorted(named[NAME].value_counts().items(), key=lambda item: (-int(item[1]), str(item[0])))
        alone = _of_one_user(named)
        large = [name for name, size in sizes if size >= self.min_group_size and name not in alone][:_MOST_GROUPS]
        small = [(str(name), int(size)) for name, size in sizes if name not in large]
        n_small = sum(size for _, size in small)
        pooled = self.pool_small and len(small) > 1 and n_small >= self.min_group_size
        left_out = {
            "excluded_groups": {} if pooled else dict(small[:_MOST_GROUPS]),
            "n_excluded_groups": 0 if pooled else len(small),
            "n_excluded": 0 if pooled else n_small,
        }
        if alone and not pooled:
            left_out["groups_of_one_user"] = sum(name in alone for name, _ in small)
        is_large = named[NAME].isin(large)
        if not pooled:
            return named[is_large], left_out
        other = f"other ({len(small)} groups)"
        return named.assign(**{NAME: named[NAME].where(is_large, other)}), {**left_out, "pooled_groups": len(small)}


def _of_one_user(named: pandas.DataFrame) -> set[str]:
    """Return the groups all of whose requests come from one user: a group of one member, however often it asks.

    Not where everything comes from one user: a service account that asks for everybody says nothing of members.
    """
    users = named["cluster"]
    if users.nunique() < 2:
        return set()
    known = users.groupby(named[NAME]).agg(["nunique", "size", "count"])
    return {str(name) for name, row in known.iterrows() if row["nunique"] == 1 and row["count"] == row["size"]}


def _names(columns: pandas.DataFrame) -> list[str]:
    """Return one name per row; "&" joins the values of several attributes, and is doubled inside of them."""
    if columns.shape[1] == 1:
        return [str(value)[:_LONGEST_NAME] for value in columns.iloc[:, 0]]
    rows = columns.itertuples(index=False, name=None)
    return [" & ".join(str(value)[:_LONGEST_NAME].replace("&", "&&") for value in row) for row in rows]
