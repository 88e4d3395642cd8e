"""Calibration and thresholds of the groundedness model, from judgements of answers that no judging member has seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from llmmon.scorers.grounding.shipped import Calibration, Settings
from llmmon.scorers.grounding.words import Words
from llmmon.training.ragtruth import Answer

BASE_RATE: Final = 0.29
"""Share of unsupported answers that calibration assumes: that of all six models in the published corpus (Niu et al.,
Table 2: 1,724 of 5,934 answers to questions). The training rows, without the two models that hardly ever err, have
0.43."""

Judged = Sequence[tuple[NDArray[np.float32], float]]


def calibrate(texts: Sequence[tuple[Answer, Words]], judged: Judged, *, encoder: str) -> Settings:
    """Return curves from log-odds to probabilities, and the thresholds with the best F1.

    Parameters
    ----------
    texts : sequence of (Answer, Words)
        Training answers.
    judged : sequence of (array, float)
        Log-odds of each one's words and of the whole answer, by a member that has not seen its source.
    """
    truth = np.array([answer.is_unsupported for answer, _ in texts])
    weight = np.where(truth, BASE_RATE / truth.mean(), (1 - BASE_RATE) / (1 - truth.mean()))
    odds = np.array([whole for _, whole in judged])
    curve = _platt(odds, truth, weight)
    marked = [_marked(answer, words) for answer, words in texts]
    by_sentence = [
        (words_odds[words.sentence == sentence].max(), mark[words.sentence == sentence].any(), share)
        for (_, words), (words_odds, _), mark, share in zip(texts, judged, marked, weight, strict=True)
        for sentence in np.unique(words.sentence)
    ]
    of_words = [
        np.concatenate([words_odds for words_odds, _ in judged]),
        np.concatenate(marked),
        np.repeat(weight, [len(mark) for mark in marked]),
    ]
    risks = curve(odds)
    threshold = _best_cut(risks, truth, weight)
    word = _platt(*of_words)
    found = np.repeat(risks >= threshold, [len(mark) for mark in marked])
    letters = np.concatenate([words.end - words.start for _, words in texts])
    return Settings(
        encoder=encoder,
        answer=curve,
        sentence=_platt(*(np.array(column) for column in zip(*by_sentence, strict=True))),
        word=word,
        threshold=threshold,
        word_threshold=_best_cut(word(of_words[0]) * found, of_words[1], of_words[2] * letters),
    )


def _marked(answer: Answer, words: Words) -> NDArray[np.bool_]:
    marked = np.zeros(len(words), dtype=bool)
    for start, end in answer.spans:
        marked |= (words.start < end) & (words.end > start)
    return marked


def _platt(odds: NDArray[Any], truth: NDArray[Any], weight: NDArray[Any]) -> Calibration:
    from sklearn.linear_model import LogisticRegression

    curve = LogisticRegression(C=1e6).fit(odds[:, None], truth, sample_weight=weight)
    return Calibration(slope=round(float(curve.coef_[0, 0]), 5), intercept=round(float(curve.intercept_[0]), 5))


def _best_cut(risks: NDArray[Any], truth: NDArray[Any], weight: NDArray[Any]) -> float:
    """Return the cut with the largest weighted F1, in the middle of those within a hundredth of it."""
    cuts = np.arange(0.05, 0.96, 0.01)
    hits = [(risks >= cut) for cut in cuts]
    f1 = np.array([2 * weight[hit & truth].sum() / (weight[hit].sum() + weight[truth].sum()) for hit in hits])
    return round(float(np.median(cuts[f1 >= f1.max() - 0.005])), 2)
