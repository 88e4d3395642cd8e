"""Replay on an endpoint that speaks the OpenAI chat protocol: vLLM, llama.cpp, `transformers serve`, a provider."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from llmmon.backends.base import backends
from llmmon.backends.chat_stream import Completion, stream_chat
from llmmon.backends.loop_thread import emitted
from llmmon.backends.prompt import chat_turns
from llmmon.endpoint.attempt import AttemptFailed, check_base_url
from llmmon.endpoint.credentials import api_key
from llmmon.endpoint.pauses import Pauses
from llmmon.errors import BackendUnavailableError
from llmmon.model import ReplayItem, Response

log = logging.getLogger(__name__)

_HOPELESS = frozenset({"unreachable", "http_401", "http_403", "http_404"})


@dataclass(slots=True)
class _Run:
    """State of one call of `generate`."""

    deadline: float
    n_done: int = 0
    n_outages: int = 0
    is_broken: bool = False
    failures: dict[str, str] = field(default_factory=dict)


@backends.register("openai_compatible")
@dataclass(frozen=True, kw_only=True, slots=True)
class OpenAICompatible:
    """Stream chat completions, several at a time, and measure what a client sees.

    TTFT and latency are this client's, of the attempt that succeeded. A failed attempt is repeated after a random,
    growing pause, or after what the server asked for in Retry-After. After `breaker_after` outages in a row nothing
    more is sent. An item that failed says why; it is never an empty answer.

    Parameters
    ----------
    base_url : str
        Up to and without ``/chat/completions``, such as ``http://127.0.0.1:8000/v1``.
    model : str
        As the endpoint calls it.
    connection : str or None
        Airflow connection whose password is the API key; None sends no key.
    max_tokens : int
        Longest answer, unless a probe asks for another.
    temperature : float
        0 takes the likeliest token. A variant such as ``repeat`` may ask for another.
    concurrency : int
        Requests at a time.
    request_timeout_s, deadline_s : float
        For one attempt up to its last token, and for all items of one call together, pauses included.
    max_attempts : int
        Of one item; pauses that the server asked for are free.
    breaker_after : int
        Outages in a row, over all items, after which the rest fail with the reason ``breaker_open``.
    logprobs : bool
        Whether to ask for token log-probabilities.
    """

    plugin_name: ClassVar[str]

    base_url: str
    model: str
    connection: str | None = None
    max_tokens: int = 256
    temperature: float = 0.0
    concurrency: int = 4
    request_timeout_s: float = 60.0
    deadline_s: float = 900.0
    max_attempts: int = 4
    breaker_after: int = 8
    logprobs: bool = False

    def __post_init__(self) -> None:
        check_base_url(self.base_url)
        for name in ("max_tokens", "concurrency", "max_attempts", "breaker_after"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")
        for name in ("request_timeout_s", "deadline_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; expected more than 0")
        if not 0 <= self.temperature <= 2:
            raise ValueError(f"temperature is {self.temperature}; expected 0 to 2")

    @property
    def model_revision(self) -> None:
        """None: an endpoint says what it is only in its answers (``system_fingerprint``)."""
        return

    def generate(self, items: Sequence[ReplayItem]) -> Generator[Response, None, None]:
        """Yield one response per item as they come in.

        Raises
        ------
        BackendUnavailableError
            After the failures were yielded, when not one item got an answer and the endpoint is the cause; or at once,
            when its key cannot be found.
        """
        if not items:
            return
        key = api_key(self.connection) if self.connection else None
        run = _Run(deadline=time.monotonic() + self.deadline_s)

        def work(emit: Callable[[Response], None]) -> Coroutine[None, None, None]:
            return self._all(items, key, run, emit)

        yield from emitted(work)
        if not run.n_done and (run.is_broken or set(run.failures) <= _HOPELESS):
            # what an endpoint answers can quote a prompt, and this error goes to task logs
            told = "; ".join(
                reason if reason.startswith("http_") else f"{reason} {message}".strip()
                for reason, message in sorted(run.failures.items())
            )
            raise BackendUnavailableError(
                f"{self.base_url}: no answer to {len(items)} requests ({told}); is it running, and is `model` right?"
            )

    async def _all(
        self, items: Sequence[ReplayItem], key: str | None, run: _Run, emit: Callable[[Response], None]
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        limit = asyncio.Semaphore(self.concurrency)
        timeout = httpx.Timeout(self.request_timeout_s, connect=min(10.0, self.request_timeout_s))

        async def one(client: httpx.AsyncClient, item: ReplayItem) -> None:
            async with limit:
                emit(await self._answer(client, item, run))

        async with httpx.AsyncClient(headers=headers, timeout=timeout) as client, asyncio.TaskGroup() as group:
            for item in items:
                group.create_task(one(client, item))

    async def _answer(self, client: httpx.AsyncClient, item: ReplayItem, run: _Run) -> Response:
        try:
            async with asyncio.timeout(run.deadline - time.monotonic()):
                completion, n_attempts = await self._with_retries(client, item, run)
        except TimeoutError:
            return self._failed(item, "deadline", f"not answered within {self.deadline_s:g} s", run)
        except AttemptFailed as error:
            return self._failed(item, error.reason, error.told, run)
        run.n_done += 1
        logprobs = completion.token_logprobs
        return Response(
            item=item,
            backend=self.plugin_name,
            model=completion.model or self.model,
            model_revision=completion.fingerprint,
            text="".join(completion.pieces),
            finish_reason=completion.finish_reason,
            n_input_tokens=completion.n_input_tokens,
            n_output_tokens=completion.n_output_tokens,
            ttft_ms=completion.ttft_ms,
            latency_ms=completion.latency_ms,
            mean_logprob=sum(logprobs) / len(logprobs) if logprobs else None,
            first_logprobs=completion.first_logprobs,
            detail={"latency_of": "request", "n_attempts": n_attempts},
        )

    async def _with_retries(self, client: httpx.AsyncClient, item: ReplayItem, run: _Run) -> tuple[Completion, int]:
        pauses = Pauses()

        def is_enough(state: RetryCallState) -> bool:
            return run.is_broken or state.attempt_number - pauses.n_asked_for >= self.max_attempts

        payload = self._payload(item)
        async for attempt in AsyncRetrying(
            wait=pauses,
            stop=is_enough,
            retry=retry_if_exception(lambda error: isinstance(error, AttemptFailed) and error.retryable),
            reraise=True,
        ):
            with attempt:
                if run.is_broken:
                    raise AttemptFailed("breaker_open", f"{self.breaker_after} outages in a row", retryable=False)
                try:
                    completion = await stream_chat(
                        client,
                        f"{self.base_url.rstrip('/')}/chat/completions",
                        payload,
                        timeout_s=self.request_timeout_s,
                    )
                except AttemptFailed as error:
                    run.n_outages = run.n_outages + 1 if error.is_outage else 0
                    if run.n_outages >= self.breaker_after and not run.is_broken:
                        run.is_broken = True
                        log.warning("%s: breaker open after %d outages in a row", self.base_url, run.n_outages)
                    raise
                run.n_outages = 0
                return completion, attempt.retry_state.attempt_number
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _payload(self, item: ReplayItem) -> dict[str, Any]:
        payload: dict[str, Any] = {
            "model": self.model,
            "messages": chat_turns(item),
            "max_tokens": int(item.change.get("max_tokens", self.max_tokens)),
            "temperature": float(item.change.get("temperature", self.temperature)),
            "seed": item.seed % 2**31,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        n_told = int(item.change.get("logprobs", 0))
        if n_told:
            return {**payload, "logprobs": True, "top_logprobs": n_told}
        return {**payload, "logprobs": True} if self.logprobs else payload

    def _failed(self, item: ReplayItem, reason: str, told: str, run: _Run) -> Response:
        run.failures.setdefault(reason, told)
        return Response(
            item=item,
            backend=self.plugin_name,
            model=self.model,
            model_revision=None,
            reason=reason,
            detail={"told": told} if told else {},
        )
