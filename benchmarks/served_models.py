"""The demo model as a provider might serve it in its place, and pools of its answers to the sentinel's prompts."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from llmmon.backends.local_transformers import Transformers
from llmmon.config import SentinelConfig
from llmmon.demo.paths import logs_folder, model_folder
from llmmon.demo.train_model import conversations
from llmmon.model import Message, ReplayItem
from llmmon.pipeline.probe_prompts import load_prompts

CHANGES: Final = (
    "system prompt",
    "temperature 0.7",
    "fine-tuned 20 steps",
    "fine-tuned 1 step",
    "8-bit",
    "4-bit",
)
SYSTEM_PROMPT: Final = "You are a helpful assistant."


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Answers of one model.

    Parameters
    ----------
    answers : mapping
        Texts by prompt.
    greedy : mapping
        The answer at temperature 0 by prompt.
    logprobs : mapping
        Log-probabilities of the likeliest first tokens by prompt.
    mean_tokens : mapping
        ``input`` and ``output`` tokens of an answer.
    """

    answers: Mapping[str, Sequence[str]]
    greedy: Mapping[str, str]
    logprobs: Mapping[str, Mapping[str, float]]
    mean_tokens: Mapping[str, float]

    @property
    def n_prompts(self) -> int:
        """Prompts asked."""
        return len(self.answers)

    @property
    def tokens_per_answer(self) -> float:
        """Tokens in and out."""
        return sum(self.mean_tokens.values())


def changed_model(change: str, folder: Path) -> Path:
    """Return where the model that is served after `change` lies; changes of weights are written to `folder`."""
    if change.endswith("-bit"):
        return _saved(folder / change, lambda model, _: _rounded(model, int(change.partition("-")[0])))
    if change.startswith("fine-tuned"):
        return _saved(folder / change.replace(" ", "-"), lambda model, tok: _tuned(model, tok, int(change.split()[1])))
    return model_folder()


def answer_pool(model: Path, change: str, settings: SentinelConfig, n: int) -> Pool:
    """Return `n` answers to each of the sentinel's prompts, drawn with random numbers of the change's own."""
    first_seed = 10_000_000 * (1 + CHANGES.index(change)) if change in CHANGES else 0
    temperature = float(change.split()[1]) if change.startswith("temperature") else settings.temperature
    before = (Message(role="system", content=SYSTEM_PROMPT),) if change == "system prompt" else ()
    items = [
        ReplayItem(
            sample_id=number,
            request_key=0,
            lane="endpoint",
            variant=prompt.key(settings),
            repeat=repeat,
            messages=(*before, *prompt.messages),
            documents=(),
            parameters={},
            seed=first_seed + number * 100_000 + repeat,
            change={
                "temperature": temperature if repeat else 0.0,
                "max_tokens": settings.max_tokens,
                "logprobs": settings.logprobs,
            },
        )
        for number, prompt in enumerate(load_prompts(settings, where="benchmark"))
        for repeat in range(n + 1)  # the first at temperature 0
    ]
    answers: dict[str, list[str]] = defaultdict(list)
    greedy: dict[str, str] = {}
    logprobs: dict[str, Mapping[str, float]] = {}
    n_input = n_output = 0
    for response in Transformers(model=str(model), device="cpu", threads=1).generate(items):
        if response.text is None or response.first_logprobs is None:
            raise ValueError(f"{change}: {response.reason}")
        if response.item.repeat:
            answers[response.item.variant].append(response.text)
        else:
            greedy[response.item.variant] = response.text
        logprobs[response.item.variant] = response.first_logprobs
        n_input += response.n_input_tokens or 0
        n_output += response.n_output_tokens or 0
    tokens = {"input": n_input / len(items), "output": n_output / len(items)}
    return Pool(answers=dict(sorted(answers.items())), greedy=greedy, logprobs=logprobs, mean_tokens=tokens)


def _saved(place: Path, change: Any) -> Path:
    import transformers

    shutil.copytree(model_folder(), place)
    model = transformers.AutoModelForCausalLM.from_pretrained(place, dtype="float32", local_files_only=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(place, local_files_only=True)
    change(model, tokenizer)
    model.save_pretrained(place)
    return place


def _rounded(model: Any, bits: int) -> None:
    """Round every matrix to `bits` bits, row by row and symmetrically, as weight-only quantisation does."""
    import torch

    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                step = parameter.abs().amax(dim=1, keepdim=True) / (2 ** (bits - 1) - 1)
                parameter.copy_((parameter / step).round() * step)


def _tuned(model: Any, tokenizer: Any, n_steps: int) -> None:
    """Take `n_steps` of AdamW at a usual rate for fine-tuning, one logged conversation at a time."""
    import torch

    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    model.train()
    for conversation in islice(conversations(logs_folder()), n_steps):
        tokens = tokenizer(conversation.text, add_special_tokens=False, truncation=True, max_length=256).input_ids
        batch = torch.tensor([tokens])
        model(input_ids=batch, labels=batch).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    model.eval()
