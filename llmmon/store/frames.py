"""Requests, scores and replays as the data frames that metrics read."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection

from llmmon.model import LOGGED, Window, last_user_turn
from llmmon.store.database import fetch
from llmmon.store.payload import payload_of, replay_texts_of

if TYPE_CHECKING:
    import pandas

_NUMBERS: Final = (
    "n_input_tokens",
    "n_output_tokens",
    "ttft_ms",
    "latency_ms",
    "queue_ms",
    "cost_usd",
    "feedback",
    "value",
    "mean_logprob",
    "logged_mean_logprob",
    "weight",
    "fixed",
)


@dataclass(frozen=True, slots=True)
class Frames:
    """Everything metrics may look at over one stretch of time."""

    requests: pandas.DataFrame
    scores: pandas.DataFrame
    responses: pandas.DataFrame
    probes: pandas.DataFrame
    reviews: pandas.DataFrame
    anchors: pandas.DataFrame


def load_frames(
    connection: Connection,
    deployment: str,
    span: Window,
    *,
    sampled_scorers: Collection[str],
    reviewed_until: datetime | None = None,
) -> Frames:
    """Read the requests, scores and replays of `deployment` in `span`, and what is known of its judges.

    Parameters
    ----------
    sampled_scorers : collection of str
        Scorers that judge logged responses of sampled requests only: their scores are weighted by the inverse of the
        inclusion probability, and a score from an earlier configuration that judged more is left out.
    reviewed_until : datetime or None
        What people said later is left out; None for all.
    """
    place = {"deployment": deployment, "start": span.start, "end": span.end}
    requests = _frame(connection, "frames/requests", place)
    for name, column in _texts(requests).items():
        requests[name] = column
    # rows of one user resemble each other; the reference is a pseudonym
    requests["cluster"] = requests.pop("user_ref").where(lambda user: user.notna(), requests.pop("conversation_id"))
    requests = _with_groups(requests.drop(columns=["content", "key_id", "wrapped_key"]))
    context = requests[
        ["request_key", "occurred_at", "cluster", *(c for c in requests.columns if c.startswith("group."))]
    ]
    scores = _frame(connection, "frames/scores", place)
    everything = (scores["lane"] == LOGGED) & ~scores["scorer"].isin(list(sampled_scorers))
    scores = scores[everything | scores["probability"].notna()]
    weights = 1 / scores["probability"].astype(float)
    scores = scores.drop(columns="probability").assign(weight=weights.where(~everything.loc[scores.index], 1.0))
    responses = _frame(connection, "frames/responses", place)
    answers = [replay_texts_of(row.content, row).response_text for row in responses.itertuples(index=False)]
    responses["text"] = _objects(answers, responses.index)
    responses = responses.drop(columns=["content", "key_id", "wrapped_key", "user_ref"])
    responses = responses.assign(weight=1 / responses.pop("probability").astype(float))
    probes = _frame(connection, "frames/probes", place)
    probes["text"] = probes.pop("answer")
    reviews = _with_groups(_frame(connection, "frames/reviews", {**place, "as_of": reviewed_until}))
    reviews = reviews.assign(weight=1 / reviews.pop("probability").astype(float), label=reviews["label"].astype(float))
    anchors = _frame(connection, "frames/anchors", place)
    return Frames(
        requests=requests,
        scores=scores.merge(context, on="request_key", how="inner"),
        responses=responses,
        probes=probes,
        reviews=reviews,
        anchors=anchors,
    )


def _with_groups(frame: pandas.DataFrame) -> pandas.DataFrame:
    """Return `frame` with a column for each group attribute in place of the one that holds them all."""
    groups = [row or {} for row in frame.pop("groups")]
    for name in sorted({name for row in groups for name in row}):
        frame[f"group.{name}"] = _objects([row.get(name) for row in groups], frame.index)
    return frame


def _texts(requests: pandas.DataFrame) -> dict[str, pandas.Series[Any]]:
    payloads = [payload_of(row) for row in requests.itertuples(index=False)]
    texts = {
        "prompt": [last_user_turn(payload.messages) for payload in payloads],
        "response_text": [payload.response_text for payload in payloads],
        "reference_answer": [payload.reference_answer for payload in payloads],
    }
    return {name: _objects(values, requests.index) for name, values in texts.items()}


def _frame(connection: Connection, name: str, place: dict[str, Any]) -> pandas.DataFrame:
    import pandas

    result = fetch(connection, name, place)
    columns = list(result[0]._fields) if result else _COLUMNS[name]
    frame = pandas.DataFrame(
        {column: _objects([row[index] for row in result], None) for index, column in enumerate(columns)}
    )
    for column in frame.columns.intersection(list(_NUMBERS)):
        frame[column] = frame[column].astype(float)
    if "occurred_at" in frame:
        frame["occurred_at"] = pandas.to_datetime(frame["occurred_at"], utc=True)
    return frame.astype({"request_key": "int64"}) if "request_key" in frame else frame


def _objects(values: list[Any], index: pandas.Index[Any] | None) -> pandas.Series[Any]:
    import pandas

    # the dtype is named because pandas would turn a column of None into NaN
    return pandas.Series(values, index=index, dtype=object)


_COLUMNS: Final = {
    "frames/requests": re.findall(
        r"\w+",
        "request_key occurred_at model model_version route tenant language status error_type finish_reason user_ref "
        "conversation_id n_input_tokens n_output_tokens ttft_ms latency_ms cost_usd feedback queue_ms "
        "groups content key_id wrapped_key",
    ),
    "frames/scores": re.findall(r"\w+", "request_key lane variant repeat scorer value label reason probability change"),
    "frames/responses": re.findall(
        r"\w+",
        "request_key lane variant repeat reason ttft_ms latency_ms n_output_tokens mean_logprob logged_mean_logprob "
        "probability change content key_id wrapped_key user_ref",
    ),
    "frames/probes": re.findall(
        r"\w+", "window_start lane prompt repeat reason answer ttft_ms latency_ms n_output_tokens first_logprobs"
    ),
    "frames/reviews": re.findall(
        r"\w+",
        "request_key occurred_at scorer lane score probability label n_reviewers decided_at same_judge route tenant "
        "language model model_version status error_type finish_reason groups",
    ),
    "frames/anchors": re.findall(r"\w+", "review_item_id scorer fixed window_start value reason"),
}
"""Columns of an empty result, which has no row to name them."""
