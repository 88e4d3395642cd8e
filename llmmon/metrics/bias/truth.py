"""Which requests truly deserved the good outcome, for the metrics that compare groups among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmmon.metrics.base import WindowData
from llmmon.metrics.bias.groups import OverGroups
from llmmon.metrics.columns import scored, why_no_scores
from llmmon.model import LOGGED, Estimate

if TYPE_CHECKING:
    import pandas

COLUMNS = ("reference_answer", "route", "tenant", "language")
TRUTH = "truth"
"""Column of the rows: 1.0 deserved, 0.0 did not."""


def check_truth(truth: str) -> None:
    """Raise `ValueError` unless `truth` names a scorer or a column with a value."""
    name, equals, value = truth.partition("=")
    if not truth or (equals and not (value and (name in COLUMNS or name.startswith("group.")))):
        raise ValueError(
            f"truth: expected a scorer, {', '.join(f'{column}=VALUE' for column in COLUMNS)} or group.NAME=VALUE, "
            f"got {truth!r}"
        )


def judged_with_truth(metric: OverGroups, data: WindowData, truth: str) -> tuple[pandas.DataFrame, int] | Estimate:
    """Return what `metric` judges and whose truth is known, with it as `TRUTH`; a column's value counts in any case.

    Returns
    -------
    (pandas.DataFrame, int) or Estimate
        Those requests, and how many were judged whose truth is not known; the absent estimate when nothing was judged,
        no truth is known, or a scorer that should say it gives no 0 or 1.
    """
    rows = metric.judged(data)
    if isinstance(rows, Estimate):
        return rows
    column, equals, value = truth.partition("=")
    if equals:
        if column not in data.requests:
            return Estimate.absent(f"no request has the attribute of truth = {truth!r}")
        given = data.requests.set_index("request_key")[column].dropna()
        known = (given.astype(str).str.strip().str.casefold() == value.strip().casefold()).astype(float)
    else:
        judged = scored(data, truth, LOGGED)
        if judged.empty:
            return Estimate.absent(f"truth: {why_no_scores(data, truth, LOGGED)}")
        known = judged.set_index("request_key")["value"]
        if not known.isin((0.0, 1.0)).all():
            return Estimate.absent(f"{truth!r} gives values other than 0 and 1: they are no truth", n=len(rows))
    found = rows.assign(**{TRUTH: rows["request_key"].map(known)}).dropna(subset=[TRUTH])
    if found.empty:
        return Estimate.absent(f"the truth is not known of any of {len(rows)} requests: none has {column!r}")
    return found, len(rows) - len(found)
