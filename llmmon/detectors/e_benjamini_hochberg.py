"""e-BH: which of many streams to raise an alarm for, under any dependence between them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Rejection(Generic[K]):
    """What e-BH decided.

    Parameters
    ----------
    rejected : frozenset
        Keys of the streams that changed, as far as the budget allows to say so.
    threshold : float
        e-value that a stream needed.
    """

    rejected: frozenset[K]
    threshold: float


def reject(e_values: Mapping[K, float], *, alpha: float, n_streams: int | None = None) -> Rejection[K]:
    r"""Reject the largest e-values so that the false discovery rate is at most `alpha`.

    Parameters
    ----------
    e_values : mapping
        One e-value per tested stream.
    alpha : float
        Budget in (0, 1).
    n_streams : int, optional
        Number of streams to account for when more are watched than have evidence yet; never fewer than `e_values`.

    Notes
    -----
    With the e-values sorted downwards and m streams, reject the first

    .. math:: \hat k = \max \{ k : k\, e_{(k)} \ge m / \alpha \}.

    The false discovery rate is at most alpha times the share of true nulls whatever the dependence. When nothing
    changed at all, a rejection needs a mean e-value of at least 1 / alpha, which has probability at most alpha.

    References
    ----------
    Wang and Ramdas (2022), "False discovery rate control with e-values", JRSS B 84.

    Examples
    --------
    >>> decision = reject({"refusals": 75.0, "words": 31.0, "cost": 0.4}, alpha=0.05)
    >>> sorted(decision.rejected), decision.threshold
    (['refusals', 'words'], 30.0)
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; expected a probability between 0 and 1")
    m = max(len(e_values), n_streams or 0, 1)
    ranked = sorted(e_values.values(), reverse=True)
    k_hat = max((k for k, e in enumerate(ranked, start=1) if k * e >= m / alpha), default=0)
    threshold = m / (alpha * max(k_hat, 1))
    return Rejection(frozenset(key for key, e in e_values.items() if k_hat and e >= threshold), threshold)
