"""How likely a model finds texts: answers after a prompt, and sentences that differ in a word or two."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, TypeVar

from llmmon.backends.decoding import in_batches, mean_logprobs, on_device
from llmmon.backends.local_model import LoadedModel, load, use_threads
from llmmon.backends.local_transformers import Transformers
from llmmon.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)
Tokens = tuple[int, ...]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelLikelihoods:
    """Likelihoods of texts, in nats, by a causal or a masked language model.

    Texts of like length run together up to a token budget; a text that is longer than the model's context, or does not
    fit on the device alone, has none.

    Parameters
    ----------
    token_budget : int
        Tokens in one batch, padding included.
    """

    loaded: LoadedModel
    token_budget: int

    def answers(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        """Return the mean log-probability per token of each answer after its prompt.

        Raises
        ------
        ConfigError
            When the model is a masked one, which gives an answer of several tokens no probability.
        """
        if self.loaded.is_masked:
            raise ConfigError("the model is a masked language model: only causal ones give answers a probability")
        rows = []
        for prompt, answer in pairs:
            given = tuple(self.loaded.prompt_tokens([{"role": "user", "content": prompt}])) if self._chats else ()
            rows.append((given or self._start + self._tokens(prompt), self._tokens(answer)))
        return self._run(rows, lambda row: sum(map(len, row)), lambda batch: mean_logprobs(self.loaded, batch))

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, float] | None]:
        """Return log-likelihoods of both sentences of each pair, to be compared with each other only.

        Notes
        -----
        A causal model gives the sum over all tokens of the sentence. A masked one gives the pseudo-log-likelihood of
        the tokens that both sentences share, each masked in turn, given the others and those in which they differ, so
        that a word is not preferred because it is frequent (Nangia et al. 2020).

        References
        ----------
        J. Salazar et al., "Masked Language Model Scoring", ACL 2020. N. Nangia et al., EMNLP 2020 (CrowS-Pairs).
        """
        return self._masked(pairs) if self.loaded.is_masked else self._causal(pairs)

    @property
    def _chats(self) -> bool:
        return bool(self.loaded.tokenizer.chat_template)

    @property
    def _start(self) -> Tokens:
        """Token that a text begins with, so that its first token has a probability too."""
        start = self.loaded.tokenizer.bos_token_id
        return (start,) if start is not None else tuple(sorted(self.loaded.eos))[:1]

    def _tokens(self, text: str) -> Tokens:
        return tuple(self.loaded.text_tokens(text))

    def _causal(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, float] | None]:
        start = self._start
        rows = []
        for sentence in (sentence for pair in pairs for sentence in pair):
            tokens = self._tokens(sentence)
            rows.append((start, tokens) if start else (tokens[:1], tokens[1:]))
        means = self._run(rows, lambda row: sum(map(len, row)), lambda batch: mean_logprobs(self.loaded, batch))
        sums = [None if mean is None else mean * len(row[1]) for mean, row in zip(means, rows, strict=True)]
        return [_both(first, second) for first, second in zip(sums[::2], sums[1::2], strict=True)]

    def _masked(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, float] | None]:
        rows: list[tuple[Tokens, int]] = []  # a sentence and the place that is masked
        places: list[tuple[int, int, int]] = []  # where the rows of each pair begin, turn to the second, and end
        for more, less in pairs:
            first, second = (tuple(self.loaded.tokenizer(text).input_ids) for text in (more, less))
            special = set(self.loaded.tokenizer.all_special_ids)
            shared = [
                (block.a + step, block.b + step)
                for block in SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks()
                for step in range(block.size)
                if first[block.a + step] not in special
            ]
            begin = len(rows)
            rows += [(first, place) for place, _ in shared]
            places.append((begin, len(rows), len(rows) + len(shared)))
            rows += [(second, place) for _, place in shared]
        logprobs = self._run(rows, lambda row: len(row[0]), self._masked_batch)
        return [_both(_sum(logprobs[a:b]), _sum(logprobs[b:c])) for a, b, c in places]

    def _masked_batch(self, rows: Sequence[tuple[Tokens, int]]) -> list[float]:
        """Return the log-probability of the token at one place of each row, when it is masked."""
        import torch

        loaded = self.loaded
        width = max(len(tokens) for tokens, _ in rows)
        mask_id = loaded.tokenizer.mask_token_id

        def score() -> list[float]:
            inputs, attention = [], []
            for tokens, place in rows:
                hidden = [*tokens[:place], mask_id, *tokens[place + 1 :]]
                inputs.append(hidden + [loaded.pad] * (width - len(hidden)))
                attention.append([1] * len(hidden) + [0] * (width - len(hidden)))
            given: dict[str, Any] = {
                "input_ids": torch.tensor(inputs, device=loaded.device),
                "attention_mask": torch.tensor(attention, device=loaded.device),
            }
            with torch.inference_mode():
                logits: Tensor = loaded.model(**given).logits
            places = torch.arange(len(rows), device=loaded.device), torch.tensor([place for _, place in rows])
            wanted = torch.tensor([[tokens[place]] for tokens, place in rows], device=loaded.device)
            chosen = torch.log_softmax(logits[places].float(), dim=-1).gather(1, wanted)[:, 0]
            return [min(0.0, float(value)) for value in chosen]

        return on_device(score)

    def _run(
        self, rows: Sequence[T], length: Callable[[T], int], run: Callable[[Sequence[T]], Sequence[float]]
    ) -> list[float | None]:
        """Run rows of like length together and return their results in the order of the rows."""
        found: list[float | None] = [None] * len(rows)
        limit = self.loaded.context
        fits = [place for place, row in enumerate(rows) if _whole(row) and (limit is None or length(row) <= limit)]
        started, n_done = time.perf_counter(), 0
        batches: Iterator[tuple[Sequence[int], Sequence[float] | None]] = in_batches(
            fits,
            lambda place: length(rows[place]),
            self.token_budget,
            lambda batch: run([rows[place] for place in batch]),
        )
        for batch, results in batches:
            for place, result in zip(batch, results or (), strict=results is not None):
                found[place] = result
            n_done += len(batch)
            log.info("scored %d of %d texts, %.0f/s", n_done, len(rows), n_done / (time.perf_counter() - started))
        return found


def likelihoods_of(backend: Transformers) -> ModelLikelihoods:
    """Load the model of a backend, causal or masked, to ask it for likelihoods.

    Raises
    ------
    ModelNotFoundError, BackendUnavailableError
        When it cannot be loaded; its weights have to be of a causal or masked language model.
    """
    loaded = load(backend.model, backend.revision, backend.device, backend.dtype, may_be_masked=True)
    if backend.threads is not None:
        use_threads(backend.threads)
    return ModelLikelihoods(loaded=loaded, token_budget=backend.token_budget)


def _whole(row: Any) -> bool:
    """Return whether neither part of a row is without a token; the second of a masked one is a place."""
    return bool(row[0]) and row[1] != ()


def _sum(values: Sequence[float | None]) -> float | None:
    """Return the sum; None when one is missing or there are none."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _both(first: float | None, second: float | None) -> tuple[float, float] | None:
    return None if first is None or second is None else (first, second)
