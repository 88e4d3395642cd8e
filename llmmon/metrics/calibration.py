r"""Rates of an imperfect judge, corrected by human labels: the arithmetic, and nothing else.

A judge's verdict on a response is whether its score lies beyond a threshold. Labels say of some responses whether it is
right; they were drawn with known probabilities, so each stands for 1 / probability responses. Two corrections:

`prediction_powered` takes from the labels how often each verdict is right, and from the window how often each is given,

.. math:: \hat\theta = \sum_h W_h \hat p_h, \qquad \hat p_h = \frac{\sum_{i \in h} w_i y_i}{\sum_{i \in h} w_i}

with W the window's share of the scores in stratum h. With one stratum a verdict this is prediction-powered inference
with its best power tuning: the rectified mean of the verdict f with lambda = p1 - p0, the slope of y on f. With many
labels the strata are finer than the verdict, so that the score itself is used.

`rogan_gladen` takes from the labels how often the judge sees what is there (sensitivity) and what is not (specificity):

.. math:: \hat\theta = \frac{\hat q + \widehat{sp} - 1}{\widehat{se} + \widehat{sp} - 1}

with q the window's share of positive verdicts. The first assumes that a verdict is right as often as where labels were
drawn, and is the sharper one there; the second that the judge errs as often on responses of either kind, which stays
so when a window has more of one kind.

Both intervals add up the squared distances to the bounds of their parts, each part a rate with Jeffreys' interval at
its effective number of rows (square-and-add, Zou and Donner 2008); `rogan_gladen` looks for the rates at which
q - theta se - (1 - theta)(1 - sp) is not told from 0, as Fieller does for a ratio, so that it holds for a weak judge.
How often they cover is simulated in tests/unit/metrics/test_calibration.py and by ``python -m benchmarks calibration``.

References
----------
A. N. Angelopoulos et al., "Prediction-powered inference", Science 382, 2023; A. N. Angelopoulos, J. C. Duchi and
T. Zrnic, "PPI++", arXiv 2311.01453, 2023; A. Fisch et al., "Stratified prediction-powered inference", NeurIPS 2024.
W. J. Rogan and B. Gladen, American Journal of Epidemiology 107, 1978. Z. Lang and J. Reiczigel, Preventive Veterinary
Medicine 113, 2014. E. C. Fieller, JRSS B 16, 1954. G. Y. Zou and A. Donner, Statistics in Medicine 27, 2008.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from llmmon.metrics.independence import Floats
from llmmon.metrics.rates import Z, jeffreys

MIN_STRATUM: Final = 30
"""Labels that a stratum needs to be cut out of the responses with one verdict."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Labels:
    """Labelled responses.

    Parameters
    ----------
    score : array of float
        What the judge said, in its unit.
    label : array of float
        From 0 to 1: the mean of what the reviewers said.
    weight : array of float
        1 / inclusion probability.
    """

    score: Floats
    label: Floats
    weight: Floats

    def __len__(self) -> int:
        return len(self.score)


@dataclass(frozen=True, kw_only=True, eq=False)
class Verdicts:
    """A threshold on a judge's score: ``below`` calls scores < `threshold` positive, ``above`` scores > `threshold`."""

    threshold: float
    side: str

    def of(self, score: Floats) -> npt.NDArray[np.bool_]:
        """Return which scores are called positive."""
        return np.asarray(score < self.threshold if self.side == "below" else score > self.threshold)


@dataclass(frozen=True, kw_only=True, slots=True)
class Corrected:
    """A corrected rate with its 95% interval, or the reason why there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None
    detail: dict[str, Any]


def prediction_powered(scores: Floats, weights: Floats, size: float, labels: Labels, verdicts: Verdicts) -> Corrected:
    """Return the rate of a window from its scores, and from how often labels say yes to each kind of score.

    Parameters
    ----------
    scores, weights : array of float
        Of the window; weights are 1 / inclusion probability.
    size : float
        How many independent rows the window is worth.
    """
    edges = _edges(labels.score, verdicts)
    codes, own = _strata(scores, edges, verdicts), _strata(labels.score, edges, verdicts)
    share = np.bincount(codes, weights, len(edges) + 1) / weights.sum()
    n_labels = np.bincount(own, minlength=len(edges) + 1)
    missing = np.flatnonzero((share > 0) & (n_labels == 0))
    if len(missing):
        verdict = "positive" if verdicts.of(scores[codes == missing[0]]).any() else "negative"
        return _absent(f"uncalibrated: needs labels of responses with a {verdict} verdict, there are none")
    rates, bounds = np.zeros(len(share)), np.zeros((len(share), 2))
    for stratum in np.flatnonzero(n_labels):
        rates[stratum], size_here = _rate(labels.label[own == stratum], labels.weight[own == stratum])
        bounds[stratum] = jeffreys(float(rates[stratum]), size_here)
    value = float(share @ rates)
    # a window of one verdict only has no spread of its own: one row of the labels' mix keeps it from being called exact
    mix = (size * share + np.bincount(own, labels.weight, len(share)) / labels.weight.sum()) / (size + 1)
    spread = Z**2 * max(0.0, float(mix @ rates**2) - float(mix @ rates) ** 2) / size
    low, high = (math.sqrt(float(((share * (rates - bound)) ** 2).sum()) + spread) for bound in bounds.T)
    detail = {
        "strata": [float(edge) for edge in edges],
        "rates": rates.tolist(),
        "n_labels_by_stratum": n_labels.tolist(),
    }
    return Corrected(value=value, low=max(0.0, value - low), high=min(1.0, value + high), detail=detail)


def rogan_gladen(positive: float, size: float, labels: Labels, verdicts: Verdicts) -> Corrected:
    """Return the rate of a window from its share of `positive` verdicts and the judge's own error rates.

    Parameters
    ----------
    positive : float
        Share of the window's responses with a positive verdict.
    size : float
        How many independent rows the window is worth.

    Examples
    --------
    >>> labels = Labels(score=np.repeat([0.0, 1, 0, 1], [90, 10, 20, 80]), weight=np.ones(200),
    ...                 label=np.repeat([1.0, 1, 0, 0], [90, 10, 20, 80]))
    >>> found = rogan_gladen(0.34, 1000, labels, Verdicts(threshold=0.5, side="below"))
    >>> round(found.value, 3), found.detail["sensitivity"], found.detail["specificity"]
    (0.2, 0.9, 0.8)
    """
    called = verdicts.of(labels.score)
    parts = []
    for name, kind, right in (("yes", labels.label, called), ("no", 1 - labels.label, ~called)):
        weight = labels.weight * kind
        if not weight.sum():
            return _absent(f"uncalibrated: needs items that people said {name} to, there are none")
        keep = weight > 0
        rate, size_here = _rate(right[keep].astype(float), weight[keep])
        parts.append((rate, *jeffreys(rate, size_here), size_here))
    (se, se_low, se_high, n_yes), (sp, sp_low, sp_high, n_no) = parts
    skill, doubt = se + sp - 1, math.hypot(se - se_low, sp - sp_low)
    detail = {
        "sensitivity": se,
        "sensitivity_interval": [se_low, se_high],
        "specificity": sp,
        "specificity_interval": [sp_low, sp_high],
        "positive_verdicts": positive,
        "n_labels_yes": round(n_yes, 3),
        "n_labels_no": round(n_no, 3),
    }
    if skill - doubt <= 0:
        told = f"{skill:.2f} (95% interval from {skill - doubt:.2f})"
        return _absent(f"uncalibrated: sensitivity + specificity - 1 is {told}: it must be above 0 for sure", detail)
    q_low, q_high = jeffreys(positive, size)
    value = (positive + sp - 1) / skill
    low = _root(positive, se, sp, (positive - q_low, se_high - se, sp - sp_low), upper=False)
    high = _root(positive, se, sp, (q_high - positive, se - se_low, sp_high - sp), upper=True)
    if high < 0 or low > 1:
        what = "fewer" if high < 0 else "more"
        return _absent(
            f"the judge calls {what} responses positive than its error rates allow: they have changed", detail
        )
    return Corrected(value=min(1.0, max(0.0, value)), low=max(0.0, low), high=min(1.0, high), detail=detail)


def labels_for_width(low: float, high: float) -> float:
    """Return how many labels, drawn evenly, a plain rate would need for an interval of this width.

    Examples
    --------
    >>> round(labels_for_width(0.4, 0.6))
    96
    """
    middle, half = (low + high) / 2, (high - low) / 2
    return math.inf if half <= 0 else middle * (1 - middle) * (Z / half) ** 2


def _root(positive: float, se: float, sp: float, widths: tuple[float, float, float], *, upper: bool) -> float:
    """Return the rate at which the judge's share of positives stops to agree with what its error rates give."""
    at, skill, (q, a, b) = positive + sp - 1, se + sp - 1, widths
    # (at - skill theta)^2 = q^2 + theta^2 a^2 + (1 - theta)^2 b^2
    square, linear, constant = skill**2 - a**2 - b**2, at * skill - b**2, at**2 - q**2 - b**2
    under = linear**2 - square * constant
    if square <= 0 or under < 0:
        return math.inf if upper else -math.inf
    return (linear + math.sqrt(under) * (1 if upper else -1)) / square


def _rate(values: Floats, weights: Floats) -> tuple[float, float]:
    """Return the weighted mean of values from 0 to 1 and how many evenly drawn ones it is worth: the lower of two.

    Kish's number takes the weights as unrelated to the values; that of the linearised variance does not, but says
    nothing while all values are equal.
    """
    order = np.lexsort((weights, values))  # so that the order of rows cannot change a sum
    values, weights = values[order], weights[order]
    rate = min(1.0, max(0.0, float((values * weights).sum() / weights.sum())))
    kish = float(weights.sum() ** 2 / (weights**2).sum())
    variance = float((weights**2 * (values - rate) ** 2).sum() / weights.sum() ** 2)
    return rate, min(kish, rate * (1 - rate) / variance) if variance > 0 else kish


def _edges(scores: Floats, verdicts: Verdicts) -> Floats:
    """Return where scores are cut: at the threshold, and between groups of `MIN_STRATUM` labels with one verdict."""
    edges = [verdicts.threshold]
    called = verdicts.of(scores)
    for side in (scores[called], scores[~called]):
        found, counts = np.unique(side, return_counts=True)
        since, left = 0, len(side)
        for value, following, count in zip(found, found[1:], counts, strict=False):
            since, left = since + int(count), left - int(count)
            if since >= MIN_STRATUM and left >= MIN_STRATUM:
                edges.append(float((value + following) / 2))
                since = 0
    return np.unique(np.array(edges))


def _strata(scores: Floats, edges: Floats, verdicts: Verdicts) -> npt.NDArray[np.intp]:
    return np.searchsorted(edges, scores, side="right" if verdicts.side == "below" else "left")


def _absent(reason: str, detail: dict[str, Any] | None = None) -> Corrected:
    return Corrected(value=None, reason=reason, detail=detail or {})
