"""What was drawn, and what replaying it gave."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from llmmon.model import ReplayItem, RequestLog, Response, Sample, Window
from llmmon.store.database import execute, fetch
from llmmon.store.payload import ReplayTexts, SubjectKey, keys_of_requests, payload_of, replay_texts_of, sealed
from llmmon.store.request_log import request_log

ReplayKey = tuple[int, str, str, int]
"""Identity of a replay: sample_id, lane, variant, repeat."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Draw:
    """A request that was drawn: a `Sample` before the database has numbered it."""

    request_key: int
    stratum: str
    probability: float
    seed: int


def replace_samples(connection: Connection, deployment: str, window: Window, draws: Sequence[Draw]) -> int:
    """Make `draws` the sample of the window and return how many earlier samples had to go.

    A sample goes only when late rows moved the draw; what was replayed for it goes with it, so that the weights of the
    sample always belong to one draw.
    """
    keys = [draw.request_key for draw in draws]
    n_gone = execute(connection, "sample/forget", {**_place(deployment, window), "request_keys": keys})
    rows = [{**_place(deployment, window), **dataclasses.asdict(draw)} for draw in draws]
    execute(connection, "sample/keep", sorted(rows, key=lambda row: row["request_key"]))
    return n_gone


def window_samples(connection: Connection, deployment: str, window: Window) -> list[Sample]:
    """Return the sample of the window in the order it was drawn."""
    return [
        Sample(deployment=deployment, window=window, **row._mapping)
        for row in fetch(connection, "sample/window", _place(deployment, window))
    ]


def sampled_requests(connection: Connection, deployment: str, window: Window) -> dict[int, RequestLog]:
    """Return the logged requests of the window's sample by request_key; those whose texts were erased are left out."""
    rows = fetch(connection, "sample/requests", _place(deployment, window))
    opened = ((row, payload_of(row)) for row in rows)
    return {row.request_key: request_log(row, texts) for row, texts in opened if not texts.is_gone}


def replay_key(item: ReplayItem) -> ReplayKey:
    """Return the identity of the replay that `item` asks for."""
    return item.sample_id, item.lane, item.variant, item.repeat


def replay_states(connection: Connection, deployment: str, window: Window) -> dict[ReplayKey, tuple[str, str | None]]:
    """Return ``(state, reason)`` of every replay that was tried; state is ``done`` or ``failed``."""
    return {
        (row.sample_id, row.lane, row.variant, row.repeat): (row.state, row.reason)
        for row in fetch(connection, "response/states", _place(deployment, window))
    }


def window_responses(connection: Connection, deployment: str, window: Window) -> list[tuple[Row[Any], ReplayTexts]]:
    """Return every replayed response of the window, its facts with the sample's ``probability``, and its texts."""
    rows = fetch(connection, "response/window", _place(deployment, window))
    return [(row, replay_texts_of(row.content, row)) for row in rows]


def keep_responses(
    connection: Connection,
    deployment: str,
    window: Window,
    responses: Sequence[Response],
    provenance_of: Mapping[str | None, int],
) -> None:
    """Store responses; one that is done already stays as it is, a failed one is replaced.

    Parameters
    ----------
    provenance_of : mapping
        ``provenance_id`` by the response's ``model_revision``.
    """
    keys = keys_of_requests(connection, window, {response.item.request_key for response in responses})
    rows = [
        {
            **_place(deployment, window),
            **_texts(response, keys.get(response.item.request_key)),
            "sample_id": response.item.sample_id,
            "request_key": response.item.request_key,
            "lane": response.item.lane,
            "variant": response.item.variant,
            "repeat": response.item.repeat,
            "state": "failed" if response.text is None else "done",
            "reason": storable(response.reason),
            "finish_reason": storable(response.finish_reason),
            "n_input_tokens": response.n_input_tokens,
            "n_output_tokens": response.n_output_tokens,
            "ttft_ms": response.ttft_ms,
            "latency_ms": response.latency_ms,
            "mean_logprob": response.mean_logprob,
            "logged_mean_logprob": response.logged_mean_logprob,
            "provenance_id": provenance_of[response.model_revision],
        }
        for response in responses
    ]
    # every writer takes the rows in the same order, so that two replays of one window wait instead of deadlocking
    execute(
        connection,
        "response/keep",
        sorted(rows, key=lambda row: (row["sample_id"], row["lane"], row["variant"], row["repeat"])),
    )


def _texts(response: Response, key: SubjectKey | None) -> dict[str, Any]:
    """Return the columns that texts go to, and those that they are kept out of."""
    item, change, detail = response.item, dict(response.item.change), dict(response.detail)
    texts = {
        "messages": [dataclasses.asdict(turn) for turn in item.messages],
        "documents": [dataclasses.asdict(document) for document in item.documents],
        "response_text": response.text,
        "terms": change.pop("terms", ()),
        "told": detail.pop("told", None),
    }
    if _is_cleaned(response.text):
        detail["cleaned"] = True
    return {
        "key_id": None if key is None else key.key_id,
        "content": sealed(storable_json(texts).encode(), key),
        "response_characters": None if response.text is None else len(response.text),
        "change": storable_json(change),
        "detail": storable_json(detail),
    }


def _place(deployment: str, window: Window) -> dict[str, Any]:
    return {"deployment": deployment, "window_start": window.start, "window_end": window.end}


def _is_cleaned(text: str | None) -> bool:
    return text is not None and storable(text) != text


def storable(text: str | None) -> str | None:
    """Replace what Postgres refuses, NUL and lone surrogates, by U+FFFD."""
    if text is None:
        return None
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").replace("\0", "\ufffd")


def storable_json(value: Any) -> str:
    """Return `value` as JSON whose texts Postgres takes."""

    def clean(part: Any) -> Any:
        if isinstance(part, str):
            return storable(part)
        if isinstance(part, Mapping):
            return {clean(str(key)): clean(item) for key, item in part.items()}
        return [clean(item) for item in part] if isinstance(part, (list, tuple)) else part

    return json.dumps(clean(value), ensure_ascii=False, allow_nan=False)
