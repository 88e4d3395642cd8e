"""Which responses people are asked about: odds by doubt, an exact draw, and agreement of reviewers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from llmmon.pipeline.draw_review import odds, systematic
from llmmon.pipeline.reviewer_agreement import agreement


def rows(scores, probability=1.0):
    """Return judged responses."""
    return [SimpleNamespace(score=score, probability=probability) for score in scores]


def known(scores, labels):
    """Return earlier items with their labels."""
    return [SimpleNamespace(score=score, weight=1.0, label=label) for score, label in zip(scores, labels, strict=True)]


def test_without_labels_all_have_the_same_odds_and_every_stretch_of_scores_is_drawn_from():
    """10 of 100: 0.1 each, and one from each tenth of the scores."""
    chances, strata = odds(rows(np.arange(100)), [], n=10, evenly=0.2)
    assert np.allclose(chances, 0.1)
    assert set(strata) == {"all"}
    assert [index // 10 for index in systematic(chances, 3)] == list(range(10))


def test_doubt_draws_and_certainty_is_still_in_reach():
    """Labels are sure below 0 and a coin above: most of the draw is above, and a fifth of it is spread evenly."""
    rng = np.random.default_rng(1)
    past = np.concatenate([np.linspace(-1, -0.1, 60), np.linspace(0.1, 1, 60)])
    labels = np.concatenate([np.zeros(60), rng.integers(0, 2, 60)])
    chances, strata = odds(rows(np.linspace(-1, 1, 200)), known(past, labels), n=20, evenly=0.2)
    assert chances.sum() == pytest.approx(20)
    assert chances[150:].mean() > 2 * chances[:80].mean()
    assert chances.min() >= 0.2 * 20 / 200
    assert len(set(strata)) > 3


def test_what_would_be_drawn_twice_is_drawn_once_and_all_of_a_small_window_are():
    """A response in doubt that stands for many is certain to be drawn; the odds of the others add up to the rest."""
    given = [*rows([0.5] * 50), SimpleNamespace(score=0.5, probability=0.001)]
    chances, _ = odds(given, [], n=10, evenly=0.1)
    assert chances[-1] == 1
    assert chances[:-1].sum() == pytest.approx(9)
    assert odds(rows([0.1, 0.9]), [], n=10, evenly=0.2)[0].tolist() == [1.0, 1.0]
    assert systematic(np.ones(5), 1) == [0, 1, 2, 3, 4]
    assert odds([], [], n=10, evenly=0.2)[0].tolist() == []
    assert systematic(np.array([]), 1) == []


def test_each_is_drawn_as_often_as_its_odds_say():
    """2,000 draws of 5 from 9: frequencies within 4 standard errors, and always 5."""
    chances = np.array([0.9, 0.1, 0.5, 0.75, 0.25, 1.0, 0.5, 0.6, 0.4])
    drawn = [systematic(chances, seed) for seed in range(2000)]
    assert {len(chosen) for chosen in drawn} == {5}
    seen = np.bincount(np.concatenate(drawn), minlength=9) / 2000
    assert np.all(np.abs(seen - chances) <= 4 * np.sqrt(chances * (1 - chances) / 2000) + 1e-12)


def said(*labels):
    """Return reviews: for each item the labels of mira, otto and zoe, None where they said nothing."""
    names = ("mira", "otto", "zoe")
    return [
        SimpleNamespace(deployment="rag", scorer="groundedness", item=item, reviewer=name, label=label)
        for item, given in enumerate(labels)
        for name, label in zip(names, given, strict=False)
    ]


def test_agreement_by_hand():
    """Ten items, two reviewers, eight equal (4 yes, 4 no): 80%; Krippendorff's alpha 1 - 2 * 2 / (2 * 10 * 10 / 19)."""
    (found,) = agreement(said(*[(1, 1)] * 4, *[(0, 0)] * 4, (0, 1), (1, 0), (1,), (None, 1)))
    assert (found.n_items, found.n_reviewers, found.n_pairs, found.agreed) == (10, 2, 10, 0.8)
    assert found.alpha == pytest.approx(1 - 4 / (200 / 19))
    assert found.low < 0.8 < found.high


def test_agreement_without_pairs_or_without_variety_is_absent():
    """One reviewer is no agreement; all yes leaves nothing to agree on by more than chance."""
    (alone,) = agreement(said((1,), (0,)))
    assert (alone.agreed, alone.low, alone.alpha, alone.n_pairs) == (None, None, None, 0)
    (same,) = agreement(said((1, 1), (1, 1)))
    assert (same.agreed, same.alpha) == (1.0, None)
