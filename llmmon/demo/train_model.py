"""Train the demo's replay model from the demo's own logs.

Run as ``python -m llmmon.demo.train_model``: about ten minutes on one CPU core. The model is a small Llama with its own
byte-level BPE tokenizer and chat template. It knows nothing: it lets replay run real weights without a download.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import logging
import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmmon.demo.model_card import write_card
from llmmon.demo.paths import logs_folder, model_folder
from llmmon.errors import SourceUnavailableError

log = logging.getLogger(__name__)

SEED = 20230627
N_EPOCHS = 2
TRAINED_CONTEXT = 512
"""Tokens of a training example; longer conversations are cut here and then do not teach where to end."""
MAX_CONTEXT = 2048
"""Tokens that the configuration allows; beyond `TRAINED_CONTEXT` the positions are extrapolated."""
VOCABULARY = 4096
BATCH_TOKENS = 2048
LEARNING_RATE = 3e-3
PAD, END, SYSTEM, USER, ASSISTANT = "<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    """One logged prompt, with its documents, and the answer."""

    item: str
    prompt: str
    answer: str

    @property
    def held_out(self) -> bool:
        """True for the one item in twenty that is never trained on, whichever deployment it was sent to."""
        return hashlib.sha256(self.item.encode()).digest()[0] % 20 == 0

    @property
    def text(self) -> str:
        """The conversation as the chat template writes it."""
        return f"{USER}{self.prompt}{END}{ASSISTANT}{self.answer}{END}"


def main() -> None:
    """Train, save and describe the model."""
    parser = argparse.ArgumentParser(prog="python -m llmmon.demo.train_model", description=__doc__)
    parser.add_argument("--logs", type=Path, default=logs_folder(), metavar="DIR", help="the demo's request logs")
    parser.add_argument("--out", type=Path, default=model_folder(), metavar="DIR", help="where the model goes")
    parser.add_argument("--epochs", type=int, default=N_EPOCHS, metavar="N", help="passes over the training part")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    train(arguments.logs, arguments.out, n_epochs=arguments.epochs)


def conversations(logs: Path) -> Iterator[Conversation]:
    """Yield every conversation logged before the change at 12:00Z, in the order of the files.

    Documents stand before the question, as the replay backends put them.

    Raises
    ------
    SourceUnavailableError
        When there are no logs.
    """
    paths = [path for path in sorted(logs.glob("*/*.jsonl.gz")) if path.name < "2023-06-27T12"]
    if not paths:
        raise SourceUnavailableError(
            f"No <deployment>/<hour>.jsonl.gz under {logs}; expected the demo logs. "
            "Pass their folder with --logs or make them with python -m llmmon.demo.build_logs."
        )
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                parts = [document["content"] for document in row["context"]]
                parts += [turn["content"] for turn in row["request"]["messages"]]
                yield Conversation(
                    item=row["tags"]["item"],
                    prompt="\n\n".join(parts),
                    answer=row["response"]["choices"][0]["message"]["content"],
                )


def train(logs: Path, out: Path, *, n_epochs: int) -> None:
    """Train on the conversations of `logs` and write weights, tokenizer and model card to `out`.

    Parameters
    ----------
    logs : Path
        Folder of the demo's request logs.
    out : Path
        Folder that receives the files; files of the same name are replaced.
    n_epochs : int
        Passes over the training part.
    """
    import torch

    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # one thread sums in one order, and leaves the other cores to others
    torch.use_deterministic_algorithms(True)
    everything = list(conversations(logs))
    tokenizer = _train_tokenizer([each.text for each in everything if not each.held_out])
    tokenizer.save_pretrained(out)  # before it is used: truncation settings would be saved with it
    model = _new_model(tokenizer)
    training = [_encode(tokenizer, each) for each in everything if not each.held_out]
    log.info("%d parameters, %d conversations", model.num_parameters(), len(training))
    started = time.perf_counter()
    _optimise(model, training, tokenizer.pad_token_id, n_epochs)
    seconds = time.perf_counter() - started
    model.half().save_pretrained(out)
    held_out = [_encode(tokenizer, each) for each in everything if each.held_out]
    # Measured on the saved half-precision weights, as they will be loaded.
    perplexity = _perplexity(model.float().eval(), held_out, tokenizer.convert_tokens_to_ids(ASSISTANT))
    log.info("trained in %.0f s; held-out perplexity of answers %.2f", seconds, perplexity)
    write_card(
        out,
        n_parameters=model.num_parameters(),
        n_training=len(training),
        n_held_out=len(held_out),
        n_epochs=n_epochs,
        seed=SEED,
        perplexity=perplexity,
        trained_context=TRAINED_CONTEXT,
    )


def _train_tokenizer(texts: Sequence[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    # Digits one by one, or every number of the prompts would be a rare token of its own.
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=[PAD, END, SYSTEM, USER, ASSISTANT],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[SYSTEM, USER, ASSISTANT],
        chat_template=CHAT_TEMPLATE,
        model_max_length=MAX_CONTEXT,
        clean_up_tokenization_spaces=False,
    )


def _new_model(tokenizer: Any) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=192,
            intermediate_size=512,
            num_hidden_layers=6,
            num_attention_heads=6,
            num_key_value_heads=6,
            max_position_embeddings=MAX_CONTEXT,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model


def _encode(tokenizer: Any, conversation: Conversation) -> list[int]:
    encoded = tokenizer(conversation.text, add_special_tokens=False, truncation=True, max_length=TRAINED_CONTEXT)
    tokens: list[int] = encoded.input_ids
    return tokens


def _batches(examples: Sequence[list[int]], seed: int) -> list[list[list[int]]]:
    """Return the examples, those of like length together, in batches of about `BATCH_TOKENS`, in random order."""
    draw = random.Random(seed)
    ordered = sorted(draw.sample(list(examples), len(examples)), key=len)
    batches: list[list[list[int]]] = [[]]
    for example in ordered:
        if (len(batches[-1]) + 1) * len(example) > BATCH_TOKENS:
            batches.append([])
        batches[-1].append(example)
    draw.shuffle(batches)
    return batches


def _optimise(model: Any, examples: Sequence[list[int]], pad: int, n_epochs: int) -> None:
    import torch

    plan = [batch for epoch in range(n_epochs) for batch in _batches(examples, SEED + epoch)]
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.1)
    warmup = max(1, len(plan) // 20)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min((step + 1) / warmup, 0.5 * (1 + math.cos(math.pi * step / len(plan))) + 0.02),
    )
    model.train()
    for step, batch in enumerate(plan, start=1):
        width = max(map(len, batch))
        tokens = torch.tensor([example + [pad] * (width - len(example)) for example in batch])
        loss = model(
            input_ids=tokens, attention_mask=tokens.ne(pad), labels=tokens.masked_fill(tokens.eq(pad), -100)
        ).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 20 == 0 or step == len(plan):
            log.info("step %d of %d: loss %.3f", step, len(plan), loss.item())


def _perplexity(model: Any, examples: Sequence[list[int]], assistant: int) -> float:
    """Return exp of the mean negative log-likelihood of the answers' tokens, the end token included."""
    import torch

    total, n = 0.0, 0
    for example in examples:
        if assistant not in example[:-1]:
            continue  # the prompt alone fills the context
        first = example.index(assistant) + 1
        tokens = torch.tensor([example])
        with torch.inference_mode():
            log_probs = model(input_ids=tokens).logits[0, first - 1 : -1].log_softmax(-1)
        answer = tokens[0, first:]
        total -= log_probs.gather(1, answer[:, None]).sum().item()
        n += len(answer)
    return math.exp(total / n)


if __name__ == "__main__":
    main()
