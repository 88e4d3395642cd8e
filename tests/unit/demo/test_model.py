"""The committed demo model is what its card says, and was trained on what it may be."""

from __future__ import annotations

import hashlib
import json
import re

from llmmon.demo.paths import logs_folder, model_folder
from llmmon.demo.train_model import BATCH_TOKENS, CHAT_TEMPLATE, END, Conversation, _batches, conversations


def test_the_files_are_small_and_complete() -> None:
    """Weights and tokenizer are there, safetensors only, at most 8 MB together."""
    names = {path.name for path in model_folder().iterdir()}
    assert {"model.safetensors", "tokenizer.json", "tokenizer_config.json", "config.json", "README.md"} <= names
    assert not any(name.endswith((".bin", ".pt", ".py", ".pkl")) for name in names)
    assert sum(path.stat().st_size for path in model_folder().iterdir()) <= 8_000_000


def test_the_card_states_the_digest_of_the_weights() -> None:
    """Whoever changes the weights must make the card anew."""
    card = (model_folder() / "README.md").read_text(encoding="utf-8")
    digest = hashlib.sha256((model_folder() / "model.safetensors").read_bytes()).hexdigest()
    assert f"SHA-256 `{digest}`" in card
    assert float(re.search(r"\| Held-out perplexity \| ([\d.]+)", card)[1]) < 10  # type: ignore[index]


def test_answers_end_with_a_token_that_stops_generation() -> None:
    """The end token of the chat template is the one that generation stops at."""
    tokens = {
        each["content"]: each["id"]
        for each in json.loads((model_folder() / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
    }
    generation = json.loads((model_folder() / "generation_config.json").read_text(encoding="utf-8"))
    assert generation["eos_token_id"] == tokens[END]
    assert (model_folder() / "chat_template.jinja").read_text(encoding="utf-8") == CHAT_TEMPLATE


def test_only_hours_before_the_change_are_trained_on() -> None:
    """7/14 of each deployment's requests: the model never saw an answer from after 12:00Z."""
    everything = list(conversations(logs_folder()))
    assert len(everything) == (1584 + 1508 + 1508 + 2016) // 2
    held_out = {each.item for each in everything if each.held_out}
    assert 0.03 < sum(each.held_out for each in everything) / len(everything) < 0.07
    assert not held_out & {each.item for each in everything if not each.held_out}


def test_a_conversation_is_written_as_the_chat_template_writes_it() -> None:
    """Training text and replay prompt agree."""
    import jinja2

    turns = [{"role": "user", "content": "7?"}, {"role": "assistant", "content": "[Yes]"}]
    written = jinja2.Template(CHAT_TEMPLATE, autoescape=False).render(messages=turns)
    assert Conversation(item="prime-7", prompt="7?", answer="[Yes]").text == written


def test_batches_hold_every_example_once_within_the_budget() -> None:
    """No example is lost, and padding to the longest keeps within the token budget."""
    examples = [[number] * (1 + number % 500) for number in range(300)]
    batches = _batches(examples, seed=3)
    assert sorted(example for batch in batches for example in batch) == sorted(examples)
    assert all(len(batch) * max(map(len, batch)) <= BATCH_TOKENS for batch in batches)
    assert batches == _batches(examples, seed=3) != _batches(examples, seed=4)
