"""One streamed chat completion over HTTP, and what can go wrong with it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from llmmon.endpoint.attempt import AttemptFailed


@dataclass(kw_only=True, slots=True)
class Completion:
    """What was streamed so far; times are of this client's clock."""

    pieces: list[str] = field(default_factory=list)
    finish_reason: str | None = None
    model: str | None = None
    fingerprint: str | None = None
    n_input_tokens: int | None = None
    n_output_tokens: int | None = None
    ttft_ms: float | None = None
    latency_ms: float = 0.0
    token_logprobs: list[float] = field(default_factory=list)
    first_logprobs: dict[str, float] | None = None
    ended: bool = False


async def stream_chat(
    client: httpx.AsyncClient, url: str, payload: Mapping[str, Any], *, timeout_s: float
) -> Completion:
    """Ask once and read the stream to its end.

    TTFT runs from sending the request to the first piece of text that is not empty, latency to the last one.

    Raises
    ------
    AttemptFailed
        When the answer is refused, broken off, too slow, or not an event stream.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await _ask(client, url, payload)
    except TimeoutError:
        raise AttemptFailed("timeout", f"no complete answer within {timeout_s:g} s") from None
    except httpx.HTTPError as error:
        raise AttemptFailed.of_error(error) from error


async def _ask(client: httpx.AsyncClient, url: str, payload: Mapping[str, Any]) -> Completion:
    started = time.perf_counter()
    async with client.stream("POST", url, json=dict(payload)) as answer:
        if answer.status_code != 200:
            raise AttemptFailed.of_status(answer, await answer.aread())
        kind = answer.headers.get("content-type", "none")
        if not kind.startswith("text/event-stream"):
            raise AttemptFailed("wrong_content_type", f"{kind}, expected text/event-stream", retryable=False)
        completion = Completion()
        async for event in _events(answer.aiter_lines()):
            if event == "[DONE]":
                completion.ended = True
                break
            _add(completion, event, started)
    if not completion.ended and completion.finish_reason is None:
        raise AttemptFailed("truncated_stream", "the stream ended before the answer did")
    return completion


async def _events(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    """Yield the data of each server-sent event; comments and other fields are passed over."""
    data: list[str] = []
    async for line in lines:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []
    if data:
        yield "\n".join(data)


def _add(completion: Completion, event: str, started: float) -> None:
    try:
        part = json.loads(event)
        if part.get("error"):
            raise AttemptFailed("stream_error", str(part["error"]))
        completion.model = part.get("model") or completion.model
        completion.fingerprint = part.get("system_fingerprint") or completion.fingerprint
        usage = part.get("usage") or {}
        completion.n_input_tokens = usage.get("prompt_tokens", completion.n_input_tokens)
        completion.n_output_tokens = usage.get("completion_tokens", completion.n_output_tokens)
        for choice in (part.get("choices") or ())[:1]:
            text = (choice.get("delta") or {}).get("content")
            if text:
                completion.latency_ms = (time.perf_counter() - started) * 1000
                completion.ttft_ms = completion.latency_ms if completion.ttft_ms is None else completion.ttft_ms
                completion.pieces.append(str(text))
            completion.finish_reason = choice.get("finish_reason") or completion.finish_reason
            told = (choice.get("logprobs") or {}).get("content") or ()
            if told and completion.first_logprobs is None:
                likeliest = told[0].get("top_logprobs") or ()
                completion.first_logprobs = {
                    str(token["token"]): min(0.0, float(token["logprob"])) for token in likeliest
                } or None
            completion.token_logprobs += [min(0.0, float(token["logprob"])) for token in told]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise AttemptFailed("malformed_stream", f"{type(error).__name__} in an event") from error
    if completion.ttft_ms is None:
        completion.latency_ms = (time.perf_counter() - started) * 1000
