"""What faults share: which rows they hit, answers that were never given, and requests that come twice or not at all."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from llmmon.errors import DATA_ERRORS
from llmmon.faults.base import Shadow
from llmmon.model import LOGGED
from llmmon.store.frames import Frames

if TYPE_CHECKING:
    import pandas

_FAILED = "the scorer failed over a planted answer"


def hit(shadow: Shadow, keys: Sequence[int], n: int) -> list[int]:
    """Return `n` of `keys` (all, when there are fewer), chosen at random; more of them hold the same ones."""
    return [int(key) for key in shadow.rng.permutation(sorted(keys))[:n]]


def count_of(share: float, n: int) -> int:
    """Return the whole number nearest to a share of `n`, half upwards."""
    return math.floor(share * n + 0.5)


def answered_keys(shadow: Shadow) -> list[int]:
    """Return the requests that have an answer whose text can be read."""
    rows = shadow.frames.requests
    return [int(key) for key in rows.loc[rows["response_text"].notna(), "request_key"] if int(key) in shadow.answers]


def answer_anew(shadow: Shadow, texts: Mapping[int, str]) -> Frames:
    """Return the frames with other answers: text and number of tokens change, and every score is judged anew.

    Tokens change in proportion to characters. What a scorer needs from a replay, such as log-probabilities of the
    answer, is not known of an answer that was never given.
    """
    requests, scores = shadow.frames.requests.copy(), shadow.frames.scores.copy()
    place = requests["request_key"].isin(list(texts))
    keys = [int(key) for key in requests.loc[place, "request_key"]]
    growth = [len(texts[key]) / max(1, len(shadow.answers[key].text or "")) for key in keys]
    requests.loc[place, "n_output_tokens"] = np.maximum(
        1.0, np.rint(requests.loc[place, "n_output_tokens"].to_numpy(dtype=float) * growth)
    )
    requests.loc[place, "response_text"] = _objects([texts[key] for key in keys], requests.index[place])
    judged = scores["request_key"].isin(keys) & (scores["lane"] == LOGGED) & scores["scorer"].isin(list(shadow.scorers))
    found = [
        _judged(shadow, name, int(key), texts[int(key)])
        for key, name in zip(scores.loc[judged, "request_key"], scores.loc[judged, "scorer"], strict=True)
    ]
    return dataclasses.replace(shadow.frames, requests=requests, scores=with_scores(scores, judged, found))


def with_scores(
    scores: pandas.DataFrame, place: pandas.Series[bool], found: Sequence[tuple[float | None, str | None, str | None]]
) -> pandas.DataFrame:
    """Return a copy of `scores` with other values, labels and reasons in the rows of `place`."""
    changed = scores.copy()
    index = changed.index[place]
    changed.loc[place, "value"] = np.array([math.nan if row[0] is None else row[0] for row in found], dtype=float)
    changed.loc[place, "label"] = _objects([row[1] for row in found], index)
    changed.loc[place, "reason"] = _objects([row[2] for row in found], index)
    return changed


def scores_of(shadow: Shadow, scorer_type: str) -> pandas.Series[bool]:
    """Return which rows of the scores are values that scorers of one type gave to logged answers."""
    names = [name for name, scorer in shadow.scorers.items() if getattr(scorer, "plugin_name", None) == scorer_type]
    scores = shadow.frames.scores
    return (scores["lane"] == LOGGED) & scores["scorer"].isin(names) & scores["value"].notna()


def with_zeroed(shadow: Shadow, scorer_type: str, size: float, label: str) -> Frames:
    """Return the frames in which a share of the answers that scorers of one type judged has the value 0 and `label`."""
    scores = shadow.frames.scores
    judged = scores_of(shadow, scorer_type)
    keys = scores.loc[judged, "request_key"].unique().tolist()
    chosen = judged & scores["request_key"].isin(hit(shadow, keys, count_of(size, len(keys))))
    found = [(0.0, label, None)] * int(chosen.sum())
    return dataclasses.replace(shadow.frames, scores=with_scores(scores, chosen, found))


def without(frames: Frames, keys: Sequence[int]) -> Frames:
    """Return the frames without some requests, their scores and their replays."""
    kept = {name: rows[~rows["request_key"].isin(keys)] for name, rows in _tables(frames)}
    return dataclasses.replace(frames, **kept)


def with_copies(frames: Frames, keys: Sequence[int]) -> Frames:
    """Return the frames with another copy of each request in `keys`, as often as it is there, under new keys."""
    import pandas

    if not keys:
        return frames
    highest = int(frames.requests["request_key"].max())
    new = pandas.DataFrame({"request_key": list(keys), "new_key": range(highest + 1, highest + 1 + len(keys))})
    grown = {}
    for name, rows in _tables(frames):
        copies = rows.merge(new, on="request_key", how="inner")
        copies["request_key"] = copies.pop("new_key")
        grown[name] = pandas.concat([rows, copies[rows.columns]], ignore_index=True) if len(copies) else rows
    requests = grown["requests"]
    # copies stand where their originals do, as if they had been logged at the same moment
    grown["requests"] = requests.sort_values(["occurred_at", "request_key"], ignore_index=True)
    return dataclasses.replace(frames, **grown)


def _judged(shadow: Shadow, name: str, key: int, text: str) -> tuple[float | None, str | None, str | None]:
    response = dataclasses.replace(shadow.answers[key], text=text, mean_logprob=None)
    try:
        score = shadow.scorers[name].score(response)
    except DATA_ERRORS as error:  # as score_responses takes them
        return None, None, f"{_FAILED}: {type(error).__name__}"
    return score.value, score.label, score.reason


def _tables(frames: Frames) -> tuple[tuple[str, pandas.DataFrame], ...]:
    return ("requests", frames.requests), ("scores", frames.scores), ("responses", frames.responses)


def _objects(values: list[Any], index: pandas.Index[Any]) -> pandas.Series[Any]:
    import pandas

    return pandas.Series(values, index=index, dtype=object)
