"""Whole chat completions, asked for again where that helps; for callers that need the text and its price, no timing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from tenacity import Retrying, retry_if_exception

from llmmon.endpoint.attempt import AttemptFailed
from llmmon.endpoint.pauses import Pauses

log = logging.getLogger(__name__)

_NO_SCHEMA: Final = frozenset({"http_400", "http_415", "http_422", "http_501"})
_FREE_PAUSES: Final = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A completion; token counts are None where the endpoint tells none."""

    text: str | None
    finish_reason: str | None
    model: str | None
    n_input_tokens: int | None
    n_output_tokens: int | None


@dataclass(kw_only=True, slots=True)
class Calls:
    """What one question cost so far.

    Parameters
    ----------
    n, n_failed : int
        Requests sent, and those that gave no completion.
    """

    n: int = 0
    n_failed: int = 0


@dataclass(kw_only=True)
class Endpoint:
    """An endpoint during one run: several threads ask it, and stop together when it is down.

    Parameters
    ----------
    client : httpx.Client
        With the key and the time limits.
    base_url : str
        Up to and without ``/chat/completions``.
    max_attempts : int
        Of one question; ten pauses that the server asked for are free, up to `longest_pause_s` each.
    breaker_after : int
        Outages in a row, over all questions, after which nothing more is sent.
    longest_pause_s : float
        A server that asks to wait longer is not waited for.
    """

    client: httpx.Client
    base_url: str
    max_attempts: int
    breaker_after: int
    longest_pause_s: float = 120.0
    takes_schema: bool = True
    _n_outages: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, payload: Mapping[str, Any], schema: Mapping[str, Any], calls: Calls) -> Answer:
        """Return the completion of `payload`, with the answer held to `schema` where the endpoint can do that.

        An endpoint that refuses a request with a schema is asked once without; when it takes that, no schema is sent
        any more in this run.

        Raises
        ------
        AttemptFailed
            When no attempt gave a completion.
        """
        if self.takes_schema:
            try:
                return self._with_retries({**payload, "response_format": schema}, calls)
            except AttemptFailed as error:
                if error.reason not in _NO_SCHEMA:
                    raise
        answer = self._with_retries(payload, calls)
        if self.takes_schema:
            log.warning("%s takes no response_format; answers are parsed strictly instead", self.base_url)
            self.takes_schema = False
        return answer

    def _with_retries(self, payload: Mapping[str, Any], calls: Calls) -> Answer:
        pauses = Pauses()
        attempts = Retrying(
            wait=pauses,
            stop=lambda state: state.attempt_number - min(pauses.n_asked_for, _FREE_PAUSES) >= self.max_attempts,
            retry=retry_if_exception(self._is_worth_another),
            reraise=True,
        )
        return attempts(self._once, payload, calls)

    def _is_worth_another(self, error: BaseException) -> bool:
        return (
            isinstance(error, AttemptFailed)
            and error.retryable
            and (error.retry_after_s or 0) <= self.longest_pause_s
            and self._n_outages < self.breaker_after
        )

    def _once(self, payload: Mapping[str, Any], calls: Calls) -> Answer:
        if self._n_outages >= self.breaker_after:
            raise AttemptFailed("breaker_open", f"{self.breaker_after} outages in a row", retryable=False)
        calls.n += 1
        try:
            answer = self._post(payload)
        except AttemptFailed as error:
            calls.n_failed += 1
            with self._lock:
                self._n_outages = self._n_outages + 1 if error.is_outage else 0
            raise
        with self._lock:
            self._n_outages = 0
        return answer

    def _post(self, payload: Mapping[str, Any]) -> Answer:
        try:
            response = self.client.post(f"{self.base_url.rstrip('/')}/chat/completions", json=dict(payload))
        except httpx.HTTPError as error:
            raise AttemptFailed.of_error(error) from error
        if response.status_code != 200:
            raise AttemptFailed.of_status(response, response.content)
        try:
            body = response.json()
            choice, usage = body["choices"][0], body.get("usage") or {}
            return Answer(
                text=choice["message"].get("content"),
                finish_reason=choice.get("finish_reason"),
                model=body.get("model"),
                n_input_tokens=usage.get("prompt_tokens"),
                n_output_tokens=usage.get("completion_tokens"),
            )
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise AttemptFailed("malformed_answer", type(error).__name__, retryable=False) from error
