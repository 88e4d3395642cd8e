"""Arithmetic of e-values: nonnegative evidence whose expectation is at most 1 while the null holds."""

from __future__ import annotations

import math
from typing import Final

LARGEST: Final = 1e300
"""Cap on a stored e-value. Lowering an e-value keeps it valid, and a double overflows soon after."""
LOG_LARGEST: Final = math.log(LARGEST)


def bounded(log_e: float) -> float:
    """Return ``exp(log_e)``, at most `LARGEST`."""
    return math.exp(min(log_e, LOG_LARGEST))


def log_add(first: float, second: float) -> float:
    """Return ``log(exp(first) + exp(second))`` without overflow."""
    high, low = max(first, second), min(first, second)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def log_e_from_p(log_p: float) -> float:
    r"""Turn a p-value into an e-value, in logarithms.

    Parameters
    ----------
    log_p : float
        Natural logarithm of a p-value in [0, 1].

    Returns
    -------
    float
        Natural logarithm of the e-value.

    Notes
    -----
    .. math:: e(p) = \int_0^1 \kappa p^{\kappa - 1} d\kappa = \frac{1 - p + p \ln p}{p (\ln p)^2}

    decreases from infinity to 1/2 and integrates to 1 over the uniform distribution, so it needs no tuning. A p-value
    below 1e-300 counts as 1e-300.

    References
    ----------
    Vovk and Wang (2021), "E-values: calibration, combination and applications", Annals of Statistics 49.

    Examples
    --------
    >>> round(math.exp(log_e_from_p(math.log(0.01))), 3)
    4.451
    >>> math.exp(log_e_from_p(0.0))
    0.5
    """
    if log_p > 0:
        raise ValueError(f"log_p is {log_p}; expected the logarithm of a p-value, at most 0")
    log_p = max(log_p, -LOG_LARGEST)
    if log_p > -1e-3:  # the closed form cancels here; these are the first terms of its series
        return math.log(0.5 + log_p / 3 + log_p**2 / 8) - log_p
    p = math.exp(log_p)
    return math.log(1 - p + p * log_p) - log_p - 2 * math.log(-log_p)
