"""A language model's opinion of an answer."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar

import httpx
from pydantic import ValidationError

from llmmon.config import PriceConfig
from llmmon.endpoint.attempt import AttemptFailed, check_base_url
from llmmon.endpoint.completion import Answer, Calls, Endpoint
from llmmon.endpoint.credentials import api_key
from llmmon.model import Direction, Scorable, Score
from llmmon.scorers.base import scorers
from llmmon.scorers.judge_prompt import (
    RUBRICS,
    VALUES,
    Reading,
    Rubric,
    messages_for,
    read_verdict,
    span_of,
    verdict_format,
)
from llmmon.scorers.text import NO_TEXT


@dataclass(frozen=True, kw_only=True, slots=True)
class _Vote:
    reading: Reading
    answer: Answer | None
    calls: Calls


@scorers.register("llm_judge")
@dataclass(frozen=True, kw_only=True, slots=True)
class LlmJudge:
    """Ask a model behind an OpenAI-compatible endpoint one question about each answer: 1 yes, 0.5 partly, 0 no.

    A judge is a noisy instrument: it costs, it drifts with the model behind its name, and it can be talked to by what
    it judges. Use it beside a scorer that can not, label some of its verdicts, and read its rates corrected. What is
    judged stays enclosed and out of the system turn, and a verdict without the call's secret word is no verdict. Its
    evidence says ``uncalibrated``, which votes there were, what the endpoint called its model, and what it cost.

    Parameters
    ----------
    base_url : str
        Up to and without ``/chat/completions``.
    model : str
        As the endpoint calls it; a dated name, where there is one.
    connection : str or None
        Airflow connection whose password is the API key; None sends no key.
    rubric : str or mapping
        ``groundedness``, ``correctness``, ``harm``, or a table of your own: ``question``, ``yes``, ``no``, and perhaps
        ``partly`` and ``needs`` (``documents``, ``reference_answer``). Yes must be good.
    votes : int
        Verdicts on each answer, whose mean is the value; more than one says something new only with a `temperature`.
    temperature : float
        Of the judge.
    max_tokens : int
        Longest verdict.
    max_chars : int
        Characters of answer, question and context together; more are not judged, and nothing is cut off.
    concurrency : int
        Requests at a time.
    request_timeout_s : float
        For one attempt.
    max_attempts : int
        Of one verdict, after 429, 5xx, a timeout or a lost connection; Retry-After is kept.
    breaker_after : int
        Outages in a row after which nothing more is sent.
    usd_per_million_tokens : mapping or None
        ``{input = .., output = ..}``; without it no cost is told.

    Notes
    -----
    More than half of the votes must be verdicts, else the score is absent and the request counts as failed. A judge
    that cannot tell leaves a reason too, and has not failed.

    References
    ----------
    L. Zheng et al., "Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena", NeurIPS 2023. K. Hines et al., "Defending
    Against Indirect Prompt Injection Attacks With Spotlighting", 2024 (marks around untrusted text).
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "verdict"
    direction: ClassVar[Direction] = "higher_is_better"
    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    version: ClassVar[int] = 1
    costs: ClassVar[bool] = True

    base_url: str
    model: str
    connection: str | None = None
    rubric: str | Mapping[str, Any] = "groundedness"
    votes: int = 1
    temperature: float = 0.0
    max_tokens: int = 300
    max_chars: int = 100_000
    concurrency: int = 4
    request_timeout_s: float = 60.0
    max_attempts: int = 4
    breaker_after: int = 8
    usd_per_million_tokens: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        check_base_url(self.base_url)
        self._rubric()
        self._price()
        for name in ("votes", "max_tokens", "max_chars", "concurrency", "max_attempts", "breaker_after"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")
        if self.request_timeout_s <= 0:
            raise ValueError(f"request_timeout_s is {self.request_timeout_s}; expected more than 0")
        if not 0 <= self.temperature <= 2:
            raise ValueError(f"temperature is {self.temperature}; expected 0 to 2")

    def score(self, response: Scorable) -> Score:
        """Return the mean verdict, or the reason why there is none."""
        return self.score_many([response])[0]

    def score_many(self, responses: Sequence[Scorable]) -> list[Score]:
        """Return one score per response, asked for several at a time.

        Raises
        ------
        BackendUnavailableError
            When the key of `connection` cannot be found.
        """
        rubric = self._rubric()
        scores = [self._nothing_to_judge(rubric, response) for response in responses]
        todo = [place for place, score in enumerate(scores) if score is None]
        if todo:
            key = api_key(self.connection) if self.connection else None
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            timeout = httpx.Timeout(self.request_timeout_s, connect=min(10.0, self.request_timeout_s))
            with (
                httpx.Client(headers=headers, timeout=timeout) as client,
                ThreadPoolExecutor(self.concurrency, thread_name_prefix="llmmon-judge") as pool,
            ):
                endpoint = Endpoint(
                    client=client,
                    base_url=self.base_url,
                    max_attempts=self.max_attempts,
                    breaker_after=self.breaker_after,
                )
                judged = pool.map(lambda place: self._judge(endpoint, rubric, responses[place]), todo)
                for place, score in zip(todo, judged, strict=True):
                    scores[place] = score
        return [score for score in scores if score is not None]

    def _nothing_to_judge(self, rubric: Rubric, response: Scorable) -> Score | None:
        if response.text is None or not response.text.strip():
            return Score(reason=NO_TEXT)
        n_chars = len(response.text) + len(response.prompt)
        if "documents" in rubric.needs:
            if not any(document.content.strip() for document in response.documents):
                return Score(reason="no documents")
            n_chars += sum(len(document.content) for document in response.documents)
        if "reference_answer" in rubric.needs:
            if not (response.reference_answer or "").strip():
                return Score(reason="no reference answer")
            n_chars += len(response.reference_answer or "")
        if n_chars > self.max_chars:
            return Score(reason=f"{n_chars} characters to judge; max_chars is {self.max_chars}")
        return None

    def _judge(self, endpoint: Endpoint, rubric: Rubric, response: Scorable) -> Score:
        votes = [self._vote(endpoint, rubric, response, number) for number in range(self.votes)]
        read = [vote.reading for vote in votes if vote.reading.verdict is not None]
        problems = Counter(vote.reading.problem for vote in votes if vote.reading.problem is not None)
        evidence: dict[str, Any] = {
            "uncalibrated": True,
            "rubric": self.rubric if isinstance(self.rubric, str) else rubric.question,
            "model": next((vote.answer.model for vote in votes if vote.answer is not None), None),
            "votes": [reading.verdict for reading in read],
            "usage": self._usage(votes),
        }
        if problems:
            evidence["problems"] = dict(sorted(problems.items()))
        if 2 * len(read) <= len(votes):
            reason = f"the judge gave no verdict: {problems.most_common(1)[0][0]}"
            return Score(reason=reason, is_failed=True, evidence=evidence)
        values = [VALUES[verdict] for vote in read if (verdict := vote.verdict or "") in VALUES]
        if 2 * len(values) <= len(read):
            return Score(reason="the judge cannot tell", evidence=evidence)
        label = Counter(reading.verdict for reading in read).most_common(1)[0][0]
        against = next((reading for reading in read if reading.verdict in {"no", "partly"}), None)
        span = span_of(against.quote, response.text or "", str(against.verdict)) if against is not None else None
        return Score(
            value=sum(values) / len(values),
            label=label,
            spans=() if span is None else (span,),
            evidence={**evidence, "why": (against or read[0]).why},
        )

    def _vote(self, endpoint: Endpoint, rubric: Rubric, response: Scorable, number: int) -> _Vote:
        canary = secrets.token_hex(6)
        payload = {
            "model": self.model,
            "messages": messages_for(rubric, response, canary),
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "seed": number,
        }
        calls = Calls()
        try:
            answer = endpoint.ask(payload, verdict_format(), calls)
        except AttemptFailed as error:
            return _Vote(reading=Reading(problem=error.reason), answer=None, calls=calls)
        if answer.finish_reason == "length":
            return _Vote(reading=Reading(problem="cut off at max_tokens"), answer=answer, calls=calls)
        return _Vote(reading=read_verdict(answer.text, canary), answer=answer, calls=calls)

    def _usage(self, votes: Sequence[_Vote]) -> dict[str, Any]:
        """Return calls, tokens and cost; None where the endpoint told no tokens of a completion, or no price is set."""
        answers = [vote.answer for vote in votes if vote.answer is not None]
        tokens = [
            [count for answer in answers if (count := getattr(answer, name)) is not None]
            for name in ("n_input_tokens", "n_output_tokens")
        ]
        n_input, n_output = (sum(told) if len(told) == len(answers) else None for told in tokens)
        price = self._price()
        cost = None
        if price is not None and n_input is not None and n_output is not None:
            cost = (n_input * price.input + n_output * price.output) / 1e6
        return {
            "n_calls": sum(vote.calls.n for vote in votes),
            "n_failed_calls": sum(vote.calls.n_failed for vote in votes),
            "n_input_tokens": n_input,
            "n_output_tokens": n_output,
            "cost_usd": cost,
        }

    def _rubric(self) -> Rubric:
        if isinstance(self.rubric, str):
            if self.rubric not in RUBRICS:
                raise ValueError(f"rubric: expected one of {', '.join(RUBRICS)} or a table, got {self.rubric!r}")
            return RUBRICS[self.rubric]
        try:
            return Rubric(**self.rubric)
        except TypeError as error:
            raise ValueError(f"rubric: expected question, yes, no, perhaps partly and needs ({error})") from None

    def _price(self) -> PriceConfig | None:
        if self.usd_per_million_tokens is None:
            return None
        try:
            return PriceConfig.model_validate(dict(self.usd_per_million_tokens))
        except ValidationError:
            raise ValueError("usd_per_million_tokens: expected { input = .., output = .. }, each at least 0") from None
