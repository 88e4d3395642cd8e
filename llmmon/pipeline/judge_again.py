"""Judge the answers to sampled requests again, on every lane, and keep nothing: one judge for a whole comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from llmmon.metrics.base import WindowData
from llmmon.model import Window
from llmmon.pipeline.judging import Judge, scores_of
from llmmon.store.score import replayed_responses, sampled_responses

if TYPE_CHECKING:
    import pandas


def judge_again(
    connection: Connection,
    deployment: str,
    windows: Sequence[Window],
    judge: Judge,
    *,
    lanes: Sequence[str],
) -> pandas.DataFrame:
    """Return one score per answer of the samples of `windows`: logged ones, and replayed ones on `lanes`.

    Parameters
    ----------
    judge : Judge
        The scorer, with the facts that it judges against.
    lanes : sequence of str
        Every replay lane of the deployment, in its order.

    Returns
    -------
    pandas.DataFrame
        ``request_key, lane, variant, repeat, scorer, value``; a response without a value, or whose texts were erased,
        has no row.
    """
    import pandas

    rows = []
    for window in windows:
        logged = sampled_responses(connection, deployment, window, lanes=lanes)
        answers = [item.response for item in logged if not item.is_gone]
        if lanes:
            answers += replayed_responses(connection, deployment, window, lanes=lanes)
        # as in the score stage: a strange answer has no score
        for answer, score in zip(answers, scores_of(judge, answers), strict=True):
            if score.value is not None:
                rows.append((answer.request_key, answer.lane, answer.variant, answer.repeat, judge.name, score.value))
    return pandas.DataFrame(rows, columns=["request_key", "lane", "variant", "repeat", "scorer", "value"])


def with_scores(data: WindowData, scores: pandas.DataFrame) -> WindowData:
    """Return `data` with other scores for its requests."""
    return replace(data, scores=scores[scores["request_key"].isin(data.requests["request_key"])])
