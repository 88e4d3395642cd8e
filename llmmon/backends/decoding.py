"""Generate and score in batches, so that a row's draws do not depend on its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from llmmon.backends.local_model import LoadedModel
from llmmon.errors import GpuOutOfMemory

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True, slots=True)
class Generated:
    """Tokens of one answer, without the one that ended it.

    Parameters
    ----------
    mean_logprob : float or None
        Mean log-probability of the tokens, in nats; None for an empty answer.
    first_logprobs : tuple of (int, float)
        The likeliest first tokens with their log-probabilities, as many as were asked for.
    """

    tokens: tuple[int, ...]
    ended: bool
    mean_logprob: float | None
    first_logprobs: tuple[tuple[int, float], ...] = ()


def in_batches(
    rows: Sequence[T], length: Callable[[T], int], budget: int, run: Callable[[Sequence[T]], Sequence[R]]
) -> Iterator[tuple[Sequence[T], Sequence[R] | None]]:
    """Run rows of like length together, longest first, at most `budget` tokens in a batch, padding included.

    When a batch does not fit on the device, the budget is halved for it and for all that follow, down to single rows.

    Yields
    ------
    (rows, results)
        Results are None for a single row that does not fit by itself.
    """
    waiting = sorted(rows, key=length, reverse=True)
    while waiting:
        longest = max(1, length(waiting[0]))
        n = max(1, min(len(waiting), budget // longest))
        batch = waiting[:n]
        try:
            results = run(batch)
        except GpuOutOfMemory:
            budget = longest * (n // 2)
            if n > 1:
                continue
            yield batch, None
        else:
            yield batch, results
        del waiting[:n]


def generate(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    *,
    temperatures: Sequence[float],
    seeds: Sequence[int],
    max_new_tokens: Sequence[int],
    n_first: int = 0,
) -> list[Generated]:
    """Continue every prompt: the likeliest token at temperature 0, else one drawn with the row's own seed.

    Parameters
    ----------
    max_new_tokens : sequence of int
        Longest answer of each row.
    n_first : int
        How many of the likeliest first tokens are told with their log-probabilities.

    Raises
    ------
    GpuOutOfMemory
        When the batch does not fit on the device.
    """
    import transformers

    tokens, mask = _left_padded(loaded, prompts)
    chooser = _TokenChooser(temperatures, seeds, max(max_new_tokens), n_first, loaded.device)
    settings = transformers.GenerationConfig(
        max_new_tokens=max(max_new_tokens),
        do_sample=False,
        pad_token_id=loaded.pad,
        eos_token_id=sorted(loaded.eos) or None,
    )
    output = on_device(
        lambda: loaded.model.generate(
            input_ids=tokens,
            attention_mask=mask,
            generation_config=settings,
            logits_processor=transformers.LogitsProcessorList([chooser]),
        )
    )
    answers = output[:, tokens.shape[1] :].tolist()
    logprobs = chooser.logprobs()
    return [
        _cut(answer[:limit], logprobs[row], chooser.first[row], loaded.eos)
        for row, (answer, limit) in enumerate(zip(answers, max_new_tokens, strict=True))
    ]


def mean_logprobs(loaded: LoadedModel, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[float]:
    """Return the mean log-probability of each answer after its prompt, by teacher forcing.

    Parameters
    ----------
    pairs : sequence of (prompt tokens, answer tokens)
        Neither is empty.

    Raises
    ------
    GpuOutOfMemory
        When the batch does not fit on the device.
    """
    import torch

    tokens, mask = _left_padded(loaded, [[*prompt, *answer] for prompt, answer in pairs])
    arguments: dict[str, Any] = {"input_ids": tokens, "attention_mask": mask, "use_cache": False}
    if "position_ids" in loaded.forward_arguments:
        arguments["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)
    if "logits_to_keep" in loaded.forward_arguments:
        arguments["logits_to_keep"] = max(len(answer) for _, answer in pairs) + 1

    def score() -> list[float]:
        with torch.inference_mode():
            logits = loaded.model(**arguments).logits
            means = []
            for row, (_, answer) in enumerate(pairs):
                # the logits before a token predict it; one row at a time, for a float copy of all would not fit
                before = torch.log_softmax(logits[row, -len(answer) - 1 : -1].float(), dim=-1)
                wanted = torch.tensor(list(answer), device=before.device)[:, None]
                means.append(min(0.0, float(before.gather(1, wanted).mean())))
        return means

    return on_device(score)


class _TokenChooser:
    """Choose each row's next token and keep its log-probability; everything else becomes impossible.

    A row draws with one uniform number per step from its own generator, by inverting the cumulative distribution, so
    the draw is the same in any batch. The numbers lie on the device from the start: a copy at each step would make
    the device wait.
    """

    def __init__(
        self, temperatures: Sequence[float], seeds: Sequence[int], n_steps: int, n_first: int, device: str
    ) -> None:
        import numpy as np
        import torch

        self.first: list[tuple[tuple[int, float], ...]] = [() for _ in seeds]
        self._n_first = n_first
        self._kept: list[Tensor] = []
        drawn = [row for row, temperature in enumerate(temperatures) if temperature > 0]
        self._drawn = torch.tensor(drawn, dtype=torch.long, device=device)
        self._temperatures = torch.tensor([temperatures[row] for row in drawn], device=device)[:, None]
        draws = [np.random.default_rng(seeds[row]).random(n_steps) for row in drawn]
        self._uniforms = torch.tensor(np.array(draws), dtype=torch.float32, device=device)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002
        import torch

        logprobs = torch.log_softmax(scores.float(), dim=-1)
        if self._n_first and not self._kept:
            likeliest = logprobs.topk(self._n_first, dim=-1)
            pairs = zip(likeliest.indices.tolist(), likeliest.values.tolist(), strict=True)
            self.first = [tuple(zip(tokens, values, strict=True)) for tokens, values in pairs]
        chosen = logprobs.argmax(dim=-1)
        if len(self._drawn):
            cumulative = torch.softmax(logprobs[self._drawn] / self._temperatures, dim=-1).cumsum(dim=-1)
            uniform = self._uniforms[:, len(self._kept), None] * cumulative[:, -1:]
            drawn = torch.searchsorted(cumulative, uniform, right=True)[:, 0]
            chosen[self._drawn] = drawn.clamp(max=scores.shape[-1] - 1)
        self._kept.append(logprobs.gather(1, chosen[:, None])[:, 0])
        return torch.full_like(scores, -torch.inf).scatter_(1, chosen[:, None], 0.0)

    def logprobs(self) -> list[list[float]]:
        """Return the log-probability of every chosen token, row by row."""
        import torch

        kept: list[list[float]] = torch.stack(self._kept, dim=1).tolist()
        return kept


def _cut(
    answer: list[int], logprobs: list[float], first: tuple[tuple[int, float], ...], eos: frozenset[int]
) -> Generated:
    end = next((place for place, token in enumerate(answer) if token in eos), len(answer))
    mean = min(0.0, sum(logprobs[:end]) / end) if end else None
    return Generated(tokens=tuple(answer[:end]), ended=end < len(answer), mean_logprob=mean, first_logprobs=first)


def _left_padded(loaded: LoadedModel, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    import torch

    width = max(map(len, rows))
    tokens = [[loaded.pad] * (width - len(row)) + list(row) for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(tokens, device=loaded.device), torch.tensor(mask, device=loaded.device)


def on_device(work: Callable[[], R]) -> R:
    """Run `work`; an out-of-memory error of the device or of the CPU's allocator becomes `GpuOutOfMemory`."""
    import torch

    try:
        return work()
    except torch.OutOfMemoryError as error:
        told = str(error)
    except RuntimeError as error:
        if "DefaultCPUAllocator" not in str(error):
            raise
        told = str(error)
    # outside the handlers the failed step's tensors are no longer referred to, so the cache can really be emptied
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    raise GpuOutOfMemory(told.splitlines()[0])
