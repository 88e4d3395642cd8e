"""The groundedness network in torch: its shape, how it is fitted, and its weights as `scorers.grounding` reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from llmmon.scorers.grounding.network import DILATIONS, KERNEL, LEADING, TOP, forward

if TYPE_CHECKING:
    import torch

Array = NDArray[np.float32]

WIDTH: Final = 48
EMBEDDED: Final = 16
DROPOUT: Final = 0.25
EPOCHS: Final = 5
BATCH: Final = 32
RATE: Final = 3e-3
WORD_WEIGHT: Final = 3.0
"""Of the loss over words beside that over answers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One answer as the network sees it: standardised values, leading vector parts, and its labels."""

    values: Array
    own: Array
    other: Array
    marked: Array
    unsupported: float


def build(n_features: int) -> Any:
    """Return an untrained network."""
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.own, self.other = nn.Linear(LEADING, EMBEDDED), nn.Linear(LEADING, EMBEDDED)
            self.enter = nn.Linear(n_features + 3 * EMBEDDED, WIDTH)
            self.norm = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in DILATIONS)
            self.depth = nn.ModuleList(
                nn.Conv1d(WIDTH, WIDTH, KERNEL, padding=KERNEL // 2 * step, dilation=step, groups=WIDTH)
                for step in DILATIONS
            )
            self.point = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in DILATIONS)
            self.word, self.attend = nn.Linear(WIDTH, 1), nn.Linear(WIDTH, 1)
            self.gather, self.decide = nn.Linear(2 * WIDTH + 3, 32), nn.Linear(32, 1)
            self.drop = nn.Dropout(DROPOUT)

        def forward(
            self, values: torch.Tensor, word: torch.Tensor, match: torch.Tensor, real: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            own, other = self.own(word), self.other(match)
            entered = torch.relu(self.enter(torch.cat([values, own, other, own * other], dim=-1)))
            hidden = self.drop(entered * real[..., None])
            for norm, depth, point in zip(self.norm, self.depth, self.point, strict=True):
                mixed = depth((norm(hidden) * real[..., None]).transpose(1, 2)).transpose(1, 2)
                hidden = hidden + torch.relu(point(mixed))
            hidden = self.drop(hidden * real[..., None])
            words = self.word(hidden)[..., 0]
            share = self.attend(hidden)[..., 0].masked_fill(real == 0, -1e9).softmax(dim=1)
            n = real.sum(dim=1, keepdim=True)
            risks = torch.sigmoid(words) * real
            top = torch.topk(risks, min(TOP, risks.shape[1]), dim=1).values
            n_top = n.clamp(max=TOP)[:, 0]
            told = [_logit(top[:, 0]), _logit(top.sum(dim=1) / n_top), risks.sum(dim=1) / n[:, 0]]
            pooled = torch.cat([(share[..., None] * hidden).sum(dim=1), hidden.sum(dim=1) / n], dim=1)
            gathered = self.gather(torch.cat([pooled, torch.stack(told, dim=1)], dim=1))
            return words, self.decide(self.drop(torch.relu(gathered)))[:, 0]

    def _logit(share: torch.Tensor) -> torch.Tensor:
        return torch.logit(share.clamp(1e-4, 1 - 1e-4))

    return Network()


def fit(examples: Sequence[Example], *, seed: int, say: Callable[[str], None]) -> Any:
    """Return a network fitted to `examples`; the same on one machine whenever it is called.

    Parameters
    ----------
    seed : int
        Of the first weights, the order of the examples and the dropout.
    say : callable
        Called with a line of progress after each pass.
    """
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    network = build(examples[0].values.shape[1])
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-2)
    n_batches = -(-len(examples) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=EPOCHS * n_batches, pct_start=0.15)
    lengths = np.array([len(example.marked) for example in examples])
    network.train()
    for epoch in range(EPOCHS):
        order = np.argsort(lengths + random.uniform(0, 40, len(examples)))  # like lengths together: little padding
        total = 0.0
        for batch in random.permutation(n_batches):
            chosen = [examples[index] for index in order[batch * BATCH : (batch + 1) * BATCH]]
            *inputs, marked, unsupported = tensors(chosen)
            words, whole = network(*inputs)
            real = inputs[-1]
            of_words = (cross_entropy(words, marked, reduction="none") * real).sum() / real.sum()
            loss = WORD_WEIGHT * of_words + cross_entropy(whole, unsupported)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += loss.item()
        say(f"seed {seed}: pass {epoch + 1} of {EPOCHS}, loss {total / n_batches:.3f}")
    return network.eval()


def weights(network: Any) -> dict[str, Array]:
    """Return the weights of `network` by name, in float32."""
    return {name: tensor.detach().numpy().astype(np.float32) for name, tensor in network.state_dict().items()}


def judge(member: Mapping[str, Array], example: Example) -> tuple[Array, float]:
    """Return the log-odds of the words and of the whole of `example`, as the scorer computes them."""
    alone = {name: tensor[None] for name, tensor in member.items()}
    words, whole = forward(alone, example.values, example.own, example.other)
    return words[0], float(whole[0])


def tensors(examples: Sequence[Example]) -> list[torch.Tensor]:
    """Return values, own, other, which words are real, which are marked, and which answers are unsupported."""
    import torch

    longest = max(len(example.marked) for example in examples)

    def padded(name: str) -> torch.Tensor:
        first = getattr(examples[0], name)
        whole = np.zeros((len(examples), longest, *first.shape[1:]), dtype=np.float32)
        for index, example in enumerate(examples):
            whole[index, : len(example.marked)] = getattr(example, name)
        return torch.from_numpy(whole)

    real = torch.zeros(len(examples), longest)
    for index, example in enumerate(examples):
        real[index, : len(example.marked)] = 1
    unsupported = torch.tensor([example.unsupported for example in examples], dtype=torch.float32)
    return [padded("values"), padded("own"), padded("other"), real, padded("marked"), unsupported]
