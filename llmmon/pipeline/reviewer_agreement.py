"""How far reviewers agree with each other, and the scorer with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from llmmon.metrics.rates import wilson


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """Two or more reviewers on the same items of one scorer.

    Parameters
    ----------
    n_items, n_reviewers, n_pairs : int
        Items that at least two people labelled, those people, and pairs of labels of one item.
    agreed : float or None
        Share of the pairs that are equal, with `low` and `high`; None when no item has two labels.
    alpha : float or None
        Krippendorff's: 1 when all agree, 0 when they do as by chance. None when all labels are the same: then there is
        nothing to agree on by more than chance.
    """

    deployment: str
    scorer: str
    n_items: int
    n_reviewers: int
    n_pairs: int
    agreed: float | None
    low: float | None
    high: float | None
    alpha: float | None


def agreement(reviews: Sequence[Any]) -> list[Agreement]:
    """Return the agreement on each scorer of each deployment.

    Parameters
    ----------
    reviews : sequence
        Standing reviews: ``deployment, scorer, item, reviewer, label``; those without a label are left out.

    References
    ----------
    K. Krippendorff, "Content Analysis", 1980; the nominal case with missing values.
    """
    groups: dict[tuple[str, str], dict[int, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for row in reviews:
        labels = groups[row.deployment, row.scorer]
        if row.label is not None:
            labels[row.item][row.reviewer] = int(row.label)
    return [_agreement(*key, list(items.values())) for key, items in sorted(groups.items())]


def _agreement(deployment: str, scorer: str, items: Sequence[dict[str, int]]) -> Agreement:
    shared = [item for item in items if len(item) > 1]
    pairs = [one == other for item in shared for one, other in combinations(item.values(), 2)]
    agreed = sum(pairs) / len(pairs) if pairs else None
    # pairs of one item are not independent: the interval counts items
    low, high = (None, None) if agreed is None else wilson(agreed, len(shared))
    return Agreement(
        deployment=deployment,
        scorer=scorer,
        n_items=len(shared),
        n_reviewers=len({name for item in shared for name in item}),
        n_pairs=len(pairs),
        agreed=agreed,
        low=low,
        high=high,
        alpha=_alpha(shared),
    )


def _alpha(items: Sequence[dict[str, int]]) -> float | None:
    labels = [label for item in items for label in item.values()]
    n, ones = len(labels), sum(labels)
    if not 0 < ones < n:
        return None
    seen = sum(
        sum(one != other for one, other in combinations(item.values(), 2)) * 2 / (len(item) - 1) for item in items
    )
    expected = 2 * ones * (n - ones) / (n - 1)
    return 1 - seen / expected
