"""Evidence mixed over when a change began and over how large it is, in memory that does not grow.

For each alternative j (a size of the change) and each window s at which it may have begun, the windows from s on have a
likelihood ratio, or a product of bets, with expectation at most 1 while nothing changes. Their sum with prior weights
w_s obeys a recursion, so that one number for each alternative is all there is to remember:

    A_t = A_(t-1) * later_t + w_t * first_t,        M_t = mean over j of A_t.

Its expectation is at most the weight of all starts so far, so by Doob's inequality the chance that M ever reaches 1/a
is at most ``a`` within `HORIZON`, and at most ``a / 2`` more in each further year.

References
----------
Shin, Ramdas and Rinaldo (2024), "E-detectors: a nonparametric framework for sequential change detection", New England
Journal of Statistics in Data Science 2. Shafer and Vovk (2019), Game-Theoretic Foundations for Probability and Finance.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

HOURS: Final = 365 * 24
"""The horizon of the false-alarm promise: a year."""
_EARLY: Final = 24.0
"""Windows after which half of the early weight is spent."""


def log_start_weights(first: int, last: int, *, windows_per_year: float) -> Floats:
    """Return the log prior weight that a change begins with tested window `first`, ..., `last`; the first is 1.

    Half of the weight lies evenly over a year; the other half falls like 1 / t^2, so that a deployment that has only
    begun does not wait for evidence as if it had been watched for a year.
    """
    t = np.arange(first, last + 1, dtype=np.float64)
    return np.log(0.5 * _EARLY / ((t + _EARLY - 1) * (t + _EARLY)) + 0.5 / windows_per_year)


def advance(log_a: Floats, first: Floats, later: Floats, log_weight: float) -> Floats:
    """Return the log evidence of every alternative after one more window.

    Parameters
    ----------
    log_a, first, later : arrays of shape (..., n_alternatives)
        The evidence before (-inf where there is none), and the window's log ratio if the change begins with it or
        began before it.
    log_weight : float
        Of a change that begins with this window.
    """
    return np.logaddexp(log_a + later, log_weight + first)


def paths(first: Floats, later: Floats, log_weights: Floats) -> Floats:
    """Return what `advance` gives after every window: arrays of shape (..., n_windows)."""
    total = np.cumsum(later, axis=-1)
    found: Floats = total + np.logaddexp.accumulate(log_weights + first - total, axis=-1)
    return found


def largest_excursion(first: Floats, later: Floats) -> Floats:
    """Return the largest log ratio that any stretch of windows gives; arrays of shape (..., n_windows)."""
    total = np.cumsum(later, axis=-1)
    found: Floats = (total + np.maximum.accumulate(first - total, axis=-1)).max(axis=-1)
    return found


def tempering(first: Floats, later: Floats) -> Floats:
    r"""Return the power in (0, 1] to which evidence is raised so that quiet windows give no more than chance does.

    Parameters
    ----------
    first, later : arrays of shape (..., n_windows)
        Log ratios of windows in which nothing changed.

    Notes
    -----
    Among N independent windows the largest stretch of evidence with expectation 1 is about :math:`\ln N`. Where quiet
    windows gave D, more than that, they are more dependent or wilder than the model says; raised to the power
    :math:`\ln N / D` they give what chance would. A power below 1 keeps an expectation of at most 1 (Jensen).
    """
    n = first.shape[-1]
    found = largest_excursion(first, later)
    power: Floats = np.minimum(1.0, np.log(n) / np.maximum(found, 1e-9))
    return power
