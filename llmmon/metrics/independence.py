"""How much rows say when they carry weights and when many come from one user: effective size and degrees of freedom."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """Finite values with their weights and the cluster (user, conversation) that each comes from.

    Rows are sorted, so that their order cannot change a sum.

    Parameters
    ----------
    values, weights : array of float
        Weights are 1 / inclusion probability.
    clusters : array of int or None
        0 to `n_clusters` - 1; None when every row counts as independent, which is also so when all come from one
        cluster: a service account that asks everything is no sample of users.
    """

    values: Floats
    weights: Floats
    clusters: Codes | None

    @classmethod
    def of(cls, values: Any, weights: Any = None, clusters: Any = None) -> Self:
        """Build from array-likes, without values that are not finite; a row without a cluster is one of its own."""
        numbers = np.asarray(values, dtype=float)
        given = np.ones(len(numbers)) if weights is None else np.asarray(weights, dtype=float)
        codes = np.zeros(len(numbers), dtype=np.int64) if clusters is None else cluster_codes(clusters)
        keep = np.isfinite(numbers)
        numbers, given, codes = numbers[keep], given[keep], codes[keep]
        order = np.lexsort((codes, given, numbers))
        found, dense = np.unique(codes[order], return_inverse=True)
        apart = len(found) == len(dense) or len(found) <= 1
        return cls(values=numbers[order], weights=given[order], clusters=None if apart else dense.astype(np.int64))

    def replace(self, values: Floats) -> Rows:
        """Return the same rows with other values, whatever their order."""
        return Rows(values=values, weights=self.weights, clusters=self.clusters)

    def where(self, keep: npt.NDArray[np.bool_]) -> Rows:
        """Return some of the rows."""
        clusters = None if self.clusters is None else self.clusters[keep]
        return Rows.of(self.values[keep], self.weights[keep], clusters)

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.values)

    @property
    def n_clusters(self) -> int:
        """Number of independent groups of rows."""
        return self.n if self.clusters is None else int(self.clusters.max()) + 1

    @property
    def mean(self) -> float:
        """Hajek's mean, sum(w y) / sum(w)."""
        return float((self.values * self.weights).sum() / self.weights.sum())

    def standard_error(self) -> float:
        """Return the plain standard error of the mean: between clusters, where rows have some."""
        parts = self.by_cluster(self.weights * (self.values - self.mean))
        return math.sqrt(len(parts) / max(len(parts) - 1, 1) * float((parts**2).sum())) / float(self.weights.sum())

    def by_cluster(self, numbers: Floats) -> Floats:
        """Return the sum of `numbers` in each cluster."""
        return numbers if self.clusters is None else np.bincount(self.clusters, weights=numbers).astype(float)

    def correlation(self) -> float:
        """Return the intraclass correlation of the values, from 0 to 1; 1, the worst, where it cannot be known.

        Notes
        -----
        The ANOVA estimator (A. Donner, International Statistical Review 54, 1986). It cannot be known when all values
        are equal.
        """
        if self.clusters is None:
            return 0.0
        sizes = np.bincount(self.clusters).astype(float)
        n, n_clusters = self.n, len(sizes)
        centred = self.values - self.values.mean()
        means = self.by_cluster(centred) / sizes
        between = float((sizes * means**2).sum()) / (n_clusters - 1)
        within = float(((centred - means[self.clusters]) ** 2).sum()) / (n - n_clusters)
        typical = (n - float((sizes**2).sum()) / n) / (n_clusters - 1)
        below = between + (typical - 1) * within
        return 1.0 if below <= 0 else min(1.0, max(0.0, (between - within) / below))

    def sizes(self) -> tuple[float, float]:
        """Return the effective number of rows and the degrees of freedom of the variance of their mean.

        Notes
        -----
        With intraclass correlation r a cluster adds v = (1 - r) sum(w^2) + r (sum w)^2 to the variance. The effective
        number is (sum w)^2 / sum(v), which is Kish's for r = 0; the degrees of freedom are Satterthwaite's,
        (sum v)^2 / sum(v^2) - 1, which are G - 1 for G equal clusters and n - 1 for plain rows.

        References
        ----------
        L. Kish, "Survey Sampling", 1965, sections 5.4 and 11.7. F. E. Satterthwaite, Biometrics Bulletin 2, 1946.
        """
        correlation = self.correlation()
        parts = self.by_cluster(self.weights**2)
        if self.clusters is not None:
            parts = (1 - correlation) * parts + correlation * self.by_cluster(self.weights) ** 2
        total = float(parts.sum())
        return float(self.weights.sum()) ** 2 / total, total**2 / float((parts**2).sum()) - 1


def cluster_codes(clusters: Any) -> Codes:
    """Return a number for each cluster, from 0 on; a missing one is a cluster of its own."""
    import pandas

    codes, found = pandas.factorize(np.asarray(clusters, dtype=object), use_na_sentinel=True)
    missing = codes < 0
    codes = codes.astype(np.int64)
    codes[missing] = len(found) + np.arange(int(missing.sum()))
    return codes
