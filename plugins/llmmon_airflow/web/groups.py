"""How the groups of a stream fare, from the detail of its newest window."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from llmmon.store.database import fetch
from llmmon_airflow.web.streams import Stream

MOST_LEFT_OUT = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupLine:
    """One group: its rate, and its ratio to the reference where the metric has one."""

    name: str
    rate: float
    low: float
    high: float
    n: int
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    verdict: str | None
    chance: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupTable:
    """The groups of one window, the lowest rate first, and who is not among them.

    Parameters
    ----------
    left_out : sequence of (str, int)
        Groups too small to compare, with their sizes.
    """

    lines: Sequence[GroupLine]
    n_without_attribute: int
    n_excluded: int
    left_out: Sequence[tuple[str, int]]

    @property
    def has_ratios(self) -> bool:
        """Whether the four-fifths rule was asked."""
        return any(line.verdict is not None for line in self.lines)


def groups_of(connection: Connection, deployment: str, stream: Stream) -> GroupTable | None:
    """Read what the newest window of `stream` says of groups; None when its metric knows none."""
    key = {"deployment": deployment, "monitor": stream.monitor, "segment": stream.segment}
    rows = fetch(connection, "ui/groups", {**key, "window_start": stream.latest.window_start})
    if not rows:
        return None
    detail: dict[str, Any] = rows[0].detail
    lines = [
        GroupLine(
            name=name,
            rate=group["rate"],
            low=group["low"],
            high=group["high"],
            n=group["n"],
            ratio=group.get("ratio"),
            ratio_low=group.get("ratio_low"),
            ratio_high=group.get("ratio_high"),
            verdict=group.get("four_fifths"),
            chance=group.get("chance"),
        )
        for name, group in detail["groups"].items()
    ]
    if not lines:
        return None
    return GroupTable(
        lines=sorted(lines, key=lambda line: (line.rate, line.name)),
        n_without_attribute=detail.get("n_without_attribute", 0),
        n_excluded=detail.get("n_excluded", 0),
        left_out=list(detail.get("excluded_groups", {}).items())[:MOST_LEFT_OUT],
    )
