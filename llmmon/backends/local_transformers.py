"""Replay on a model in this process, with Hugging Face transformers."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from llmmon.backends.base import backends
from llmmon.backends.decoding import Generated, generate, in_batches, mean_logprobs
from llmmon.backends.local_model import DTYPES, LoadedModel, load, use_threads
from llmmon.backends.prompt import chat_turns
from llmmon.errors import ModelNotFoundError
from llmmon.model import ReplayItem, Response
from llmmon.pinned import DEVICES, check_pin, weights_revision

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Prompt:
    item: ReplayItem
    tokens: tuple[int, ...]
    logged: tuple[int, ...]
    max_new_tokens: int


@backends.register("transformers")
@dataclass(frozen=True, kw_only=True, slots=True)
class Transformers:
    """Generate with a causal language model on this machine's GPU, or on its CPU.

    Rows of like length run together up to a token budget. A batch that does not fit in memory is halved, down to one
    row; a row that does not fit alone fails with the reason ``out_of_memory`` and the others go on. Each row draws
    with its own seed.

    Parameters
    ----------
    model : str
        Folder with a tokenizer and safetensors weights, or a hub id such as ``org/name``.
    revision : str or None
        Commit of the hub model, 40 hex digits: a branch or tag can move. None for a folder.
    device : str
        ``cuda``, ``cpu``, or ``auto``: the GPU if there is one.
    dtype : str
        ``float32``, ``bfloat16``, ``float16``, or ``auto``: as stored on a GPU, float32 on a CPU.
    max_new_tokens : int
        Longest answer, unless a probe asks for another.
    token_budget : int
        Tokens in one batch: rows times the longest prompt and its answer, padding included.
    temperature : float
        0 takes the likeliest token. A variant such as ``repeat`` may ask for another.
    threads : int or None
        CPU threads of torch in this process; None leaves torch's choice, one per core. A small model beside other busy
        processes is many times faster with 1, because threads that wait for each other keep the cores.

    Notes
    -----
    In float32 an answer is the same in any batch, but for ties. In half precision it is not: a GPU adds up in another
    order for another number of rows, and where two tokens are nearly as likely the other one may win. That is noise of
    the reference lane, which the variant ``repeat`` shows; ``dtype = "float32"`` is free of it and several times slower
    (``python -m benchmarks replay``).
    """

    plugin_name: ClassVar[str]

    model: str
    revision: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    max_new_tokens: int = 256
    token_budget: int = 16_384
    temperature: float = 0.0
    threads: int | None = None

    def __post_init__(self) -> None:
        check_pin(self.model, self.revision)
        for name, known in (("device", DEVICES), ("dtype", DTYPES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected one of {', '.join(known)}")
        for name in ("max_new_tokens", "token_budget", "threads"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")
        if not 0 <= self.temperature <= 2:
            raise ValueError(f"temperature is {self.temperature}; expected 0 to 2")

    @property
    def model_revision(self) -> str:
        """The pinned commit, or the SHA-256 of the weights.

        Raises
        ------
        ModelNotFoundError
            When the folder holds no weights.
        """
        return self.revision if self.revision is not None else weights_revision(self.model)

    def generate(self, items: Sequence[ReplayItem]) -> Generator[Response, None, None]:
        """Yield one response per item, batch by batch, the longest prompts first.

        Raises
        ------
        ModelNotFoundError, BackendUnavailableError
            When the model cannot be loaded.
        """
        if not items:
            return
        if self.revision is None and not Path(self.model).is_dir():
            raise ModelNotFoundError(f"model = {self.model!r}: no such folder; set `model` to where the weights are")
        loaded = load(self.model, self.revision, self.device, self.dtype)
        if self.threads is not None:
            use_threads(self.threads)
        prompts = []
        for item in items:
            prompt = self._prompt(loaded, item)
            if isinstance(prompt, Response):
                yield prompt
            else:
                prompts.append(prompt)
        started = time.perf_counter()
        n_done = n_tokens = 0
        batches = in_batches(
            prompts,
            lambda prompt: len(prompt.tokens) + prompt.max_new_tokens,
            self.token_budget,
            lambda batch: self._timed(loaded, batch),
        )
        for batch, answers in batches:
            if answers is None:
                yield self._failed(batch[0].item, "out_of_memory", n_input_tokens=len(batch[0].tokens))
                continue
            logged = self._logged(loaded, batch)
            for place, (prompt, (answer, elapsed_ms)) in enumerate(zip(batch, answers, strict=True)):
                mean, n_scored = logged.get(place, (None, 0))
                detail: dict[str, Any] = {"latency_of": "batch", "n_in_batch": len(batch), "device": loaded.device}
                if prompt.logged:
                    detail |= {"n_logged_tokens": len(prompt.logged), "n_logged_tokens_scored": n_scored}
                yield Response(
                    item=prompt.item,
                    backend=self.plugin_name,
                    model=self.model,
                    model_revision=self.model_revision,
                    text=loaded.tokenizer.decode(answer.tokens, skip_special_tokens=True),
                    finish_reason="stop" if answer.ended else "length",
                    n_input_tokens=len(prompt.tokens),
                    n_output_tokens=len(answer.tokens),
                    latency_ms=elapsed_ms,
                    mean_logprob=answer.mean_logprob,
                    logged_mean_logprob=mean,
                    first_logprobs=self._first(loaded, prompt.item, answer),
                    detail=detail,
                )
            n_done += len(batch)
            n_tokens += sum(len(answer.tokens) for answer, _ in answers)
            rate = n_tokens / (time.perf_counter() - started)
            log.info("generated %d of %d answers, %.0f tokens/s", n_done, len(prompts), rate)

    def _prompt(self, loaded: LoadedModel, item: ReplayItem) -> _Prompt | Response:
        from jinja2.exceptions import TemplateError

        try:
            tokens = loaded.prompt_tokens(chat_turns(item))
        except TemplateError as error:
            return self._failed(item, "prompt_refused", told=str(error)[:200])
        room = loaded.context - len(tokens) if loaded.context is not None else None
        max_new_tokens = int(item.change.get("max_tokens", self.max_new_tokens))
        if not tokens or (room is not None and room < max_new_tokens):
            reason = "prompt_too_long" if tokens else "prompt_empty"
            return self._failed(item, reason, n_input_tokens=len(tokens), context=loaded.context)
        logged = loaded.text_tokens(item.logged_response) if item.logged_response else []
        return _Prompt(item=item, tokens=tuple(tokens), logged=tuple(logged), max_new_tokens=max_new_tokens)

    def _timed(self, loaded: LoadedModel, batch: Sequence[_Prompt]) -> list[tuple[Generated, float]]:
        started = time.perf_counter()
        answers = generate(
            loaded,
            [prompt.tokens for prompt in batch],
            temperatures=[float(prompt.item.change.get("temperature", self.temperature)) for prompt in batch],
            seeds=[prompt.item.seed for prompt in batch],
            max_new_tokens=[prompt.max_new_tokens for prompt in batch],
            n_first=max(int(prompt.item.change.get("logprobs", 0)) for prompt in batch),
        )
        elapsed_ms = (time.perf_counter() - started) * 1000
        return [(answer, elapsed_ms) for answer in answers]

    @staticmethod
    def _first(loaded: LoadedModel, item: ReplayItem, answer: Generated) -> dict[str, float] | None:
        likeliest = answer.first_logprobs[: int(item.change.get("logprobs", 0))]
        # from the least likely on: where two tokens are parts of letters and look the same, the likelier one stays
        return {loaded.tokenizer.decode([token]): min(0.0, value) for token, value in reversed(likeliest)} or None

    def _logged(self, loaded: LoadedModel, batch: Sequence[_Prompt]) -> dict[int, tuple[float | None, int]]:
        """Return, by place in the batch, each logged response's mean log-probability and the tokens it is over."""
        pairs = [
            (
                place,
                prompt.tokens,
                prompt.logged[: None if loaded.context is None else loaded.context - len(prompt.tokens)],
            )
            for place, prompt in enumerate(batch)
            if prompt.logged
        ]
        found: dict[int, tuple[float | None, int]] = {}
        for rows, means in in_batches(
            pairs,
            lambda pair: len(pair[1]) + len(pair[2]),
            self.token_budget,
            lambda rows: mean_logprobs(loaded, [(tokens, logged) for _, tokens, logged in rows]),
        ):
            for at, (place, _, logged) in enumerate(rows):
                found[place] = (None, 0) if means is None else (means[at], len(logged))
        return found

    def _failed(self, item: ReplayItem, reason: str, n_input_tokens: int | None = None, **detail: Any) -> Response:
        return Response(
            item=item,
            backend=self.plugin_name,
            model=self.model,
            model_revision=self.model_revision,
            reason=reason,
            n_input_tokens=n_input_tokens,
            detail=detail,
        )
