"""Draw the responses that people are asked to judge: those that shrink the interval of a rate fastest.

A label is worth most where the scorer leaves most doubt, so a response is drawn with a probability in proportion to the
standard deviation of its label given its score, which earlier labels tell. A part of the odds is spread evenly, so that
no response is out of reach and an error model that is wrong costs width, never validity: every item carries the
probability it was drawn with. Without earlier labels the doubt is the same everywhere, and the systematic draw over
responses in the order of their scores takes from every stretch of scores in proportion.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np

from llmmon.audit.event import body
from llmmon.config import Config
from llmmon.errors import ConfigError
from llmmon.metrics.independence import Floats
from llmmon.model import Window
from llmmon.store import audit
from llmmon.store.coverage import lock_accounts
from llmmon.store.database import Database
from llmmon.store.review import ItemDraw, days_to_draw, drawn_items, keep_items, labelled_scores, population

log = logging.getLogger(__name__)

MIN_LABELS: Final = 30
"""Earlier labels from which doubt is learnt; with fewer it counts as the same everywhere."""
_PER_BIN: Final = 15
_MAX_BINS: Final = 8
MAX_DAYS: Final = 7
"""Days that `draw_days` draws from at once: after a pause people are not flooded."""


@dataclass(frozen=True, kw_only=True)
class ReviewDraw:
    """What drawing from one window gave.

    Parameters
    ----------
    n_responses : int
        Judged responses of the window that people can be asked about.
    n_labels : int
        Earlier labels that the odds were learnt from; 0 where they were too few.
    n_drawn, n_new : int
        Items of the window, and those that were not drawn before.
    least_probability : float or None
        Of all responses of the window; None when there are none.
    """

    n_responses: int
    n_labels: int
    n_drawn: int
    n_new: int
    least_probability: float | None


def draw_review(database: Database, config: Config, deployment: str, scorer: str, window: Window) -> ReviewDraw:
    """Draw from `window` what people are asked about `scorer`; a window that was drawn from stays as it is.

    Raises
    ------
    ConfigError
        When the deployment's ``review`` does not name the scorer.
    """
    settings = config.deployments[deployment]
    if scorer not in settings.review:
        there = ", ".join(settings.review) or "none"
        raise ConfigError(f"deployments.{deployment}.review: no scorer {scorer!r} is reviewed; there are: {there}")
    asked = settings.review[scorer]
    seed = _seed(deployment, scorer, window)
    with database.transaction() as connection:
        lock_accounts(connection, [deployment], shared=False)
        earlier = drawn_items(connection, deployment, window, scorer)
        sampled = settings.scorers[scorer].scope == "sample"
        rows = [] if earlier else population(connection, deployment, window, scorer, is_sampled=sampled)
        known = labelled_scores(connection, deployment, scorer, window.start)
        chances, strata = odds(rows, known, n=asked.per_draw, evenly=asked.evenly)
        chosen = systematic(chances, seed)
        draws = [_draw(rows[index], float(chances[index]), strata[index]) for index in chosen]
        n_new = keep_items(connection, deployment, window, scorer, draws, seed)
        result = ReviewDraw(
            n_responses=len(rows),
            n_labels=len(known) if len(known) >= MIN_LABELS else 0,
            n_drawn=len(earlier) + n_new,
            n_new=n_new,
            least_probability=float(chances.min()) if len(chances) else None,
        )
        if n_new:
            subject = f"deployment {deployment} scorer {scorer} window {window.key}"
            fact = {**asdict(result), "seed": seed, "per_draw": asked.per_draw, "evenly": asked.evenly}
            audit.append(connection, body("review.drawn", subject, fact, config_digest=config.digest))
    log.info("%s %s %s: %d of %d responses drawn for review", deployment, scorer, window.key, n_new, len(rows))
    return result


def draw_days(database: Database, config: Config, *, now: datetime | None = None) -> dict[str, dict[str, int]]:
    """Draw from every day that is over, for each scorer that is reviewed; return how many items each day gave."""
    moment = now or datetime.now(UTC)
    found: dict[str, dict[str, int]] = {}
    for deployment, settings in config.deployments.items():
        for scorer in settings.review:
            with database.transaction() as connection:
                days = days_to_draw(connection, deployment, scorer, now=moment, n_days=MAX_DAYS)
            for start in days:
                window = Window(start=start, end=start + timedelta(days=1))
                drawn = draw_review(database, config, deployment, scorer, window)
                found.setdefault(f"{deployment} {scorer}", {})[window.key] = drawn.n_new
    return found


def odds(rows: Sequence[Any], labels: Sequence[Any], *, n: int, evenly: float) -> tuple[Floats, list[str]]:
    """Return the probability with which each response is drawn, `n` in all, and the stratum that it lies in.

    Parameters
    ----------
    rows : sequence
        Each with a ``score`` and, in ``probability``, how likely it is to be among the judged ones.
    labels : sequence
        Earlier items, each with ``score, weight, label``.
    evenly : float
        Part of the odds that is the same for all.

    Notes
    -----
    pi_i = n (evenly / N + (1 - evenly) d_i / sum d), with d the standard deviation of the label in its stretch of
    scores times 1 / probability; a response that would be drawn for certain is, and the rest is shared again.

    References
    ----------
    T. Zrnic and E. J. Candes, "Active statistical inference", ICML 2024, arXiv 2403.03208 (the optimal rule and the
    mixture). J. Neyman, JRSS 97, 1934 (allocation in proportion to the standard deviation).
    """
    scores = np.array([row.score for row in rows], dtype=float)
    edges, doubts = _doubt(labels)
    stretch = np.searchsorted(edges, scores, side="right")
    doubt = doubts[stretch] / np.array([row.probability for row in rows], dtype=float)
    names = ["all", *(f"score from {edge:.4g}" for edge in edges)]
    names[0] = f"score below {edges[0]:.4g}" if len(edges) else "all"
    chances = np.zeros(len(scores))
    free = np.ones(len(scores), dtype=bool)
    while free.any():
        left = min(n, len(scores)) - int((~free).sum())
        share = evenly / free.sum() + (1 - evenly) * doubt[free] / doubt[free].sum()
        chances[free] = np.minimum(1.0, left * share)
        certain = free & (chances >= 1)
        if not certain.any():
            break
        free &= ~certain
    return chances, [names[index] for index in stretch]


def systematic(chances: Floats, seed: int) -> list[int]:
    """Return which are drawn when `chances` are laid end to end and cut once in every 1, from a start given by `seed`.

    Each is drawn with exactly its chance, and as many as the chances sum up to.

    References
    ----------
    W. G. Madow, Annals of Mathematical Statistics 20, 1949.
    """
    if not len(chances):
        return []
    cuts = np.ceil(np.cumsum(chances) - np.random.default_rng(seed).random() - 1e-12)
    return [int(index) for index in np.flatnonzero(np.diff(cuts, prepend=0) > 0)]


def _doubt(labels: Sequence[Any]) -> tuple[Floats, Floats]:
    """Return where scores are cut into stretches, and the standard deviation of a label in each.

    A stretch has half a label of either kind added, so that none counts as beyond doubt.
    """
    if len(labels) < MIN_LABELS:
        return np.array([]), np.ones(1)
    scores, weights, said = (np.array([getattr(row, name) for row in labels], dtype=float) for name in _COLUMNS)
    n_bins = min(_MAX_BINS, len(labels) // _PER_BIN)
    edges = np.unique(np.quantile(scores, np.arange(1, n_bins) / n_bins))
    edges = edges[edges > scores.min()]
    stretch = np.searchsorted(edges, scores, side="right")
    n = np.bincount(stretch, minlength=len(edges) + 1)
    total = np.bincount(stretch, weights, len(edges) + 1)
    rate = np.divide(
        np.bincount(stretch, weights * said, len(edges) + 1), total, out=np.full(len(n), 0.5), where=total > 0
    )
    rate = (n * rate + 0.5) / (n + 1)
    return edges, np.sqrt(rate * (1 - rate))


_COLUMNS: Final = ("score", "weight", "label")


def _draw(row: Any, chance: float, stratum: str) -> ItemDraw:
    return ItemDraw(
        request_key=row.request_key,
        occurred_at=row.occurred_at,
        score=row.score,
        probability=min(1.0, chance) * row.probability,
        stratum=stratum,
        provenance_id=row.provenance_id,
    )


def _seed(deployment: str, scorer: str, window: Window) -> int:
    digest = hashlib.sha256("\0".join((deployment, scorer, str(window))).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") >> 1
