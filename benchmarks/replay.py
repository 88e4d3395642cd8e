"""Prompts of the demo through one model: one by one, in llmmon's batches, and in transformers' continuous batching."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.random_models import device_name, write_causal
from benchmarks.result import Result, Row, best_seconds
from llmmon.backends.local_model import LoadedModel, load, use_threads
from llmmon.backends.local_transformers import Transformers
from llmmon.backends.prompt import chat_turns
from llmmon.demo.paths import logs_folder, model_folder
from llmmon.model import ReplayItem
from llmmon.sources.base import sources

SUMMARY = "greedy replay tokens/s: one by one, llmmon's token-budget batches, transformers' continuous batching"

Answers = dict[int, tuple[str, int]]
"""Text and number of tokens by item."""


def run(
    prompts: int = 32,
    new_tokens: int = 32,
    rounds: int = 2,
    threads: int = 1,
    model: str = "",
    shape: str = "",
    budgets: str = "16384",
    dtype: str = "auto",
    one_by_one: int = 1,
) -> Result:
    """Answer the same prompts in every way; the texts are compared with those of one by one.

    Parameters
    ----------
    prompts : int
        Demo prompts, spread evenly over all hours of all deployments.
    new_tokens : int
        Longest answer.
    rounds : int
        Runs of each way; the best counts. Loading the model is not timed.
    threads : int
        CPU threads of torch, the same for all ways.
    model : str
        Folder of another model; empty: the demo's.
    shape : str
        ``1b`` or ``8b``: a model of Llama's shape with random weights in place of the demo's.
    budgets : str
        Token budgets of llmmon's batches, with commas between them.
    dtype : str
        Of the weights, as the backend's setting.
    one_by_one : int
        0 leaves that way out; the first budget is then what the others are compared with.
    """
    logging.getLogger("transformers").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as place:
        folder = str(write_causal(shape, Path(place))) if shape else model or str(model_folder())
        return _compare(
            folder,
            prompts=prompts,
            new_tokens=new_tokens,
            rounds=rounds,
            threads=threads,
            budgets=[int(budget) for budget in budgets.split(",")],
            dtype=dtype,
            one_by_one=bool(one_by_one),
        )


def _compare(
    folder: str,
    *,
    prompts: int,
    new_tokens: int,
    rounds: int,
    threads: int,
    budgets: Sequence[int],
    dtype: str,
    one_by_one: bool,
) -> Result:
    items = _items(prompts)
    loaded = load(folder, None, "auto", dtype)
    use_threads(threads)
    ways: list[tuple[str, Callable[[], Answers], str]] = []
    if one_by_one:
        alone = lambda: _llmmon(folder, items, new_tokens, dtype, budget=1)  # noqa: E731
        ways.append(("one by one", alone, "a batch of one, as an API would"))
    for budget in budgets:
        together = lambda budget=budget: _llmmon(folder, items, new_tokens, dtype, budget=budget)  # noqa: E731
        note = "sorted by length; log-probabilities and seeds of each row included"
        ways.append((f"llmmon, {budget:,} tokens a batch", together, note))
    ways.append(
        (
            "arrival order, 16 rows",
            lambda: _padded(loaded, items, new_tokens, 16),
            "generate() on left-padded rows",
        )
    )
    continuous = load.__wrapped__(folder, None, "auto", dtype)  # it changes the model's attention for good
    ways.append(
        (
            "transformers continuous",
            lambda: _continuous(continuous, items, new_tokens),
            "generate_batch(), its set-up included",
        )
    )
    rows = []
    expected: Answers = {}
    for way, work, note in ways:
        found: Answers = {}
        try:
            seconds = best_seconds(lambda work=work, found=found: found.update(work()), rounds=rounds)  # type: ignore[misc]
        except (RuntimeError, ValueError, NotImplementedError, AttributeError, ImportError) as error:
            rows.append(Row(way=way, value=None, note=f"did not run here: {type(error).__name__}: {str(error)[:120]}"))
            continue
        expected = expected or dict(found)
        n_equal = sum(found[key][0] == text for key, (text, _) in expected.items())
        n_tokens = sum(n for _, n in found.values())
        note = f"{note}; {n_equal} of {len(items)} answers equal, {n_tokens} tokens"
        rows.append(Row(way=way, value=n_tokens / seconds, note=note))
    lengths = [len(loaded.prompt_tokens(chat_turns(item))) for item in items]
    settings = {
        "prompts": len(items),
        "prompt_tokens": f"{min(lengths)}-{max(lengths)}",
        "new_tokens": new_tokens,
        "rounds": rounds,
        "threads": threads,
        "device": device_name(loaded.device),
        "dtype": str(loaded.model.dtype).removeprefix("torch."),
        "parameters": f"{loaded.model.num_parameters() / 1e6:.1f}M",
    }
    return Result(unit="tokens/s", rows=rows, reference=rows[0].way, settings=settings)


def _items(n: int) -> list[ReplayItem]:
    source = sources.create("openai_jsonl", {"path": str(logs_folder() / "*" / "*.jsonl.gz")}, where="benchmark")
    requests = [source.parse(row, source="demo") for batch in source.read(None, max_rows=10_000) for row in batch.rows]
    chosen = requests[:: max(1, len(requests) // n)][:n]
    return [
        ReplayItem(
            sample_id=number,
            request_key=number,
            lane="reference",
            variant="as_logged",
            repeat=0,
            messages=request.messages,
            documents=request.documents,
            parameters={},
            seed=number,
        )
        for number, request in enumerate(chosen)
    ]


def _llmmon(folder: str, items: Sequence[ReplayItem], new_tokens: int, dtype: str, *, budget: int) -> Answers:
    backend = Transformers(model=folder, max_new_tokens=new_tokens, token_budget=budget, dtype=dtype)
    answers = {}
    for response in backend.generate(items):
        if response.text is None or response.n_output_tokens is None:
            raise ValueError(f"item {response.item.sample_id}: {response.reason}")
        answers[response.item.sample_id] = (response.text, response.n_output_tokens)
    return answers


def _padded(loaded: LoadedModel, items: Sequence[ReplayItem], new_tokens: int, rows: int) -> Answers:
    import torch

    answers: Answers = {}
    for start in range(0, len(items), rows):
        batch = items[start : start + rows]
        prompts = [loaded.prompt_tokens(chat_turns(item)) for item in batch]
        width = max(map(len, prompts))
        tokens = torch.tensor([[loaded.pad] * (width - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        output = loaded.model.generate(
            tokens.to(loaded.device),
            attention_mask=mask.to(loaded.device),
            generation_config=_greedy(loaded, new_tokens),
        )
        for item, row in zip(batch, output[:, width:].tolist(), strict=True):
            answers[item.sample_id] = _text(loaded, row)
    return answers


def _continuous(loaded: LoadedModel, items: Sequence[ReplayItem], new_tokens: int) -> Answers:
    prompts = [loaded.prompt_tokens(chat_turns(item)) for item in items]
    found = loaded.model.generate_batch(inputs=prompts, generation_config=_greedy(loaded, new_tokens))
    failed = [output.error for output in found.values() if output.error]
    if failed or len(found) != len(items):
        raise RuntimeError(f"{len(found)} of {len(items)} answers; {failed[:1]}")
    by_prompt = {tuple(output.prompt_ids): output.generated_tokens for output in found.values()}
    return {
        item.sample_id: _text(loaded, by_prompt[tuple(prompt)]) for item, prompt in zip(items, prompts, strict=True)
    }


def _greedy(loaded: LoadedModel, new_tokens: int) -> Any:
    import transformers

    return transformers.GenerationConfig(
        max_new_tokens=new_tokens, do_sample=False, eos_token_id=sorted(loaded.eos) or None, pad_token_id=loaded.pad
    )


def _text(loaded: LoadedModel, tokens: Sequence[int]) -> tuple[str, int]:
    end = next((place for place, token in enumerate(tokens) if token in loaded.eos), len(tokens))
    return loaded.tokenizer.decode(tokens[:end], skip_special_tokens=True), end
