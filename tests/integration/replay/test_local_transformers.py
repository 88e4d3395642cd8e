"""The transformers backend runs a real model."""

from __future__ import annotations

import dataclasses
import math

import pytest

from llmmon.backends.local_model import load
from llmmon.backends.local_transformers import Transformers
from llmmon.errors import BackendUnavailableError, ConfigError, ModelNotFoundError
from llmmon.pinned import weights_revision
from tests.devices import DEVICES

PROMPTS = ["Is 17 a prime number?", "How many?", "The grandfather was not comfortable using the phone. Who was?", "No"]


@pytest.fixture(params=DEVICES)
def device(request):
    """Return one device after the other."""
    return request.param


@pytest.fixture
def backend(tiny_model, device):
    """Return a backend on the tiny model."""
    return Transformers(model=str(tiny_model), device=device, max_new_tokens=12)


@pytest.fixture
def loaded(tiny_model, device):
    """Return the tiny model as the backend has it in memory."""
    return load(str(tiny_model), None, device, "auto")


def by_sample(responses):
    return {response.item.sample_id: response for response in responses}


def test_a_batch_answers_as_each_prompt_alone_does(backend, device, item):
    """Greedy answers, their log-probabilities and their finish reasons do not depend on padding or neighbours."""
    items = [item(number, prompt) for number, prompt in enumerate(PROMPTS)]
    together = by_sample(backend.generate(items))
    assert together.keys() == {0, 1, 2, 3}
    for one in items:
        (alone,) = backend.generate([one])
        batched = together[one.sample_id]
        assert (batched.text, batched.n_output_tokens) == (alone.text, alone.n_output_tokens)
        assert batched.finish_reason == alone.finish_reason
        assert batched.mean_logprob == pytest.approx(alone.mean_logprob, abs=1e-4)
        assert batched.detail["n_in_batch"] == 4
        assert alone.detail == {"latency_of": "batch", "n_in_batch": 1, "device": device}


def test_a_greedy_answer_is_what_the_model_itself_generates(backend, loaded, item):
    """The tokens are those of the model's own greedy generate, and the log-probability is theirs."""
    import torch

    one = item()
    (response,) = backend.generate([one])
    prompt = loaded.prompt_tokens([{"role": "user", "content": one.messages[0].content}])
    output = loaded.model.generate(
        torch.tensor([prompt], device=loaded.device),
        do_sample=False,
        max_new_tokens=12,
        output_logits=True,
        return_dict_in_generate=True,
    )
    tokens = output.sequences[0, len(prompt) :].tolist()
    assert response.text == loaded.tokenizer.decode(tokens, skip_special_tokens=True)
    kept = [token for token in tokens if token not in loaded.eos]
    logprobs = [
        torch.log_softmax(logits[0], -1)[token].item() for logits, token in zip(output.logits, kept, strict=False)
    ]
    assert response.mean_logprob == pytest.approx(sum(logprobs) / len(logprobs), abs=1e-5)


def test_the_logged_response_is_scored_by_teacher_forcing(backend, loaded, item):
    """The mean log-probability of a logged response is that of a plain forward pass, in a batch and alone."""
    import torch

    items = [
        item(number, prompt, logged_response="No, 21 is not." * (number + 1)) for number, prompt in enumerate(PROMPTS)
    ]
    together = by_sample(backend.generate([*items, item(9)]))
    assert together[9].logged_mean_logprob is None
    for one in items:
        prompt = loaded.prompt_tokens([{"role": "user", "content": one.messages[0].content}])
        answer = loaded.text_tokens(one.logged_response)
        with torch.inference_mode():
            logits = loaded.model(torch.tensor([prompt + answer], device=loaded.device)).logits[0]
        before = torch.log_softmax(logits[len(prompt) - 1 : -1], -1)
        expected = sum(before[place, token].item() for place, token in enumerate(answer)) / len(answer)
        response = together[one.sample_id]
        assert response.logged_mean_logprob == pytest.approx(expected, abs=1e-4)
        assert response.detail["n_logged_tokens_scored"] == response.detail["n_logged_tokens"] == len(answer)


def test_a_sampled_answer_follows_its_seed_and_not_its_batch(backend, item):
    """At temperature 1 the same seed gives the same text alone and in a batch, and other seeds give other texts."""
    items = [item(number, change={"temperature": 1.0}, seed=number % 3) for number in range(6)]
    together = by_sample(backend.generate(items))
    (alone,) = backend.generate([items[4]])
    assert alone.text == together[4].text == together[1].text
    assert len({together[number].text for number in range(3)}) == 3
    (greedy,) = backend.generate([item()])
    assert greedy.text not in {together[number].text for number in range(3)}


def test_sampling_draws_tokens_as_often_as_the_model_says(backend, loaded, item):
    """Over 3,000 seeds the first tokens are distributed as the softmax at that temperature (chi-square, p > 0.001)."""
    import torch
    from scipy.stats import chisquare

    from llmmon.backends.decoding import generate

    prompt = loaded.prompt_tokens([{"role": "user", "content": "No"}])
    n = 3000
    drawn = generate(loaded, [prompt] * n, temperatures=[0.7] * n, seeds=list(range(n)), max_new_tokens=[1] * n)
    first = torch.tensor([answer.tokens[0] if answer.tokens else min(loaded.eos) for answer in drawn])
    with torch.inference_mode():
        logits = loaded.model(torch.tensor([prompt], device=loaded.device)).logits[0, -1]
        expected = torch.softmax(logits.cpu() / 0.7, -1) * n
    observed = torch.bincount(first, minlength=len(expected)).double()
    common = expected >= 5
    pooled = [*observed[common].tolist(), observed[~common].sum().item()]
    wanted = [*expected[common].double().tolist(), expected[~common].double().sum().item()]
    scale = sum(pooled) / sum(wanted)
    assert chisquare(pooled, [value * scale for value in wanted]).pvalue > 0.001


def test_out_of_memory_halves_the_batch_and_the_answers_stay(backend, loaded, item):
    """A model that takes three rows at most answers eleven prompts in small batches, as it does in one."""
    import torch

    items = [item(number, f"{PROMPTS[number % 4]} {number}") for number in range(11)]
    expected = {response.item.sample_id: response.text for response in backend.generate(items)}
    sizes = []

    def refuse(module, arguments, keywords):
        sizes.append(keywords["input_ids"].shape[0])
        if sizes[-1] > 3:
            raise torch.OutOfMemoryError(f"CUDA out of memory: {sizes[-1]} rows")

    hook = loaded.model.register_forward_pre_hook(refuse, with_kwargs=True)
    try:
        responses = list(backend.generate(items))
    finally:
        hook.remove()
    assert {response.item.sample_id: response.text for response in responses} == expected
    assert sizes[0] == 11
    assert max(response.detail["n_in_batch"] for response in responses) <= 3


@pytest.mark.gpu
def test_a_gpu_that_is_really_full_answers_in_smaller_batches(tiny_model, item):
    """With 64 MiB left of the card a batch that would need more is halved by its own error, down to what fits."""
    import torch

    backend = Transformers(model=str(tiny_model), device="cuda", max_new_tokens=12, token_budget=1 << 30)
    items = [item(number, f"{LONG[:400]} {number}") for number in range(2000)]
    few = by_sample(backend.generate(items[:3]))
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 64 * 2**20) / total)
    try:
        found = by_sample(backend.generate(items))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert all(response.reason is None for response in found.values())
    assert max(response.detail["n_in_batch"] for response in found.values()) < 2000
    assert [found[number].text for number in range(3)] == [few[number].text for number in range(3)]


def test_an_item_that_does_not_fit_alone_fails_and_the_others_go_on(backend, loaded, item):
    """A row longer than the device can hold fails with the reason out_of_memory; the rest are answered."""
    import torch

    items = [item(number, prompt) for number, prompt in enumerate([*PROMPTS, LONG])]

    def refuse(module, arguments, keywords):
        rows, width = keywords["input_ids"].shape
        if rows * width > 60:
            raise torch.OutOfMemoryError("CUDA out of memory")

    hook = loaded.model.register_forward_pre_hook(refuse, with_kwargs=True)
    try:
        found = by_sample(backend.generate(items))
    finally:
        hook.remove()
    assert {number: response.reason for number, response in found.items()} == {
        0: None, 1: None, 2: None, 3: None, 4: "out_of_memory",
    }  # fmt: skip
    assert found[4].text is None
    assert found[4].mean_logprob is None


LONG = "The grandfather was not comfortable using the phone, the grandson was. " * 4


def test_another_error_of_the_model_is_not_taken_for_memory(backend, loaded, item):
    """A RuntimeError that is not about memory is raised, not retried with fewer rows."""

    def refuse(module, arguments):
        raise RuntimeError("expected scalar type Long")

    hook = loaded.model.register_forward_pre_hook(refuse)
    try:
        with pytest.raises(RuntimeError, match="expected scalar type"):
            list(backend.generate([item(1), item(2)]))
    finally:
        hook.remove()


def test_a_prompt_beyond_the_context_fails_with_the_numbers(backend, item):
    """A prompt that leaves no room for the answer says so instead of being cut."""
    found = by_sample(backend.generate([item(1, LONG * 20), item(2)]))
    assert found[1].reason == "prompt_too_long"
    assert found[1].n_input_tokens > 256
    assert found[1].detail == {"context": 256}
    assert found[2].text is not None


def test_batches_respect_the_token_budget(tiny_model, device, loaded, item):
    """No batch holds more than the budget's tokens, counted with padding and answers."""
    backend = Transformers(model=str(tiny_model), device=device, max_new_tokens=12, token_budget=100)
    shapes = []
    hook = loaded.model.register_forward_pre_hook(
        lambda module, arguments, keywords: shapes.append(tuple(keywords["input_ids"].shape)), with_kwargs=True
    )
    try:
        responses = list(backend.generate([item(number, prompt) for number, prompt in enumerate(PROMPTS * 3)]))
    finally:
        hook.remove()
    assert len(responses) == 12
    assert all(rows == 1 or rows * (width + 12) <= 100 for rows, width in shapes if width > 1)
    lengths = [response.n_input_tokens for response in responses]
    assert lengths == sorted(lengths, reverse=True)


def test_the_revision_of_a_folder_is_the_digest_of_its_weights(backend, tiny_model):
    """The revision is the SHA-256 that sha256sum prints for the one safetensors file."""
    import hashlib

    expected = hashlib.sha256((tiny_model / "model.safetensors").read_bytes()).hexdigest()
    assert backend.model_revision == f"sha256:{expected}"
    assert weights_revision(str(tiny_model)) == backend.model_revision


def test_a_missing_model_names_the_setting(tmp_path, item):
    """A folder without weights, or none at all, is a ModelNotFoundError that says which setting to change."""
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ModelNotFoundError, match="model = "):
            list(Transformers(model=str(folder)).generate([item()]))


def test_a_broken_model_folder_is_not_replaced(tiny_model, tmp_path, item):
    """Weights that are no safetensors file give a ModelNotFoundError, not a fresh model."""
    for file in tiny_model.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelNotFoundError, match="cannot be loaded"):
        list(Transformers(model=str(tmp_path)).generate([item()]))


def test_a_gpu_that_is_not_there_is_named(tiny_model, item):
    """device = "cuda" on a machine without one says so; nothing falls back to the CPU."""
    import torch

    if torch.cuda.is_available():
        assert list(Transformers(model=str(tiny_model), device="cuda", max_new_tokens=2).generate([item()]))
        return
    with pytest.raises(BackendUnavailableError, match="torch sees no GPU"):
        list(Transformers(model=str(tiny_model), device="cuda").generate([item()]))


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"model": "org/name"}, "revision"),
        ({"model": "org/name", "revision": "main"}, "40 hex digits"),
        ({"model": "/some/folder", "revision": "a" * 40}, "hub id"),
        ({"model": "/m", "device": "tpu"}, "auto, cpu, cuda"),
        ({"model": "/m", "dtype": "int8"}, "bfloat16"),
        ({"model": "/m", "max_new_tokens": 0}, "at least 1"),
        ({"model": "/m", "temperature": -1}, "0 to 2"),
    ],
)
def test_wrong_parameters_say_what_was_expected(parameters, expected):
    """Each wrong parameter is refused where it stands in the configuration."""
    from llmmon.backends.base import backends

    with pytest.raises(ConfigError, match=expected):
        backends.create("transformers", parameters, where="backends.reference")


def test_documents_are_shown_to_the_model_once(backend, loaded, item):
    """Context beside the prompt goes before the question; context quoted in the prompt is not repeated."""
    from llmmon.backends.prompt import chat_turns
    from llmmon.model import Document

    document = Document(content="The grandson was.")
    apart = dataclasses.replace(item(prompt="Who was?"), documents=(document,))
    inside = dataclasses.replace(item(prompt="The grandson was.\nWho was?"), documents=(document,))
    assert chat_turns(apart) == [{"role": "user", "content": "The grandson was.\n\nWho was?"}]
    assert chat_turns(inside) == [{"role": "user", "content": "The grandson was.\nWho was?"}]
    for response in backend.generate([apart, inside]):
        assert math.isfinite(response.mean_logprob)
