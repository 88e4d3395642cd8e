"""Train the groundedness model: ``llmmon train groundedness``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from llmmon.encoder import static_encoder
from llmmon.scorers.grounding.context import gather
from llmmon.scorers.grounding.network import leading
from llmmon.scorers.grounding.shipped import FORMAT, Settings
from llmmon.scorers.grounding.support import FEATURES, Room, measure
from llmmon.scorers.grounding.words import Words, read
from llmmon.training import groundedness_network as network
from llmmon.training.groundedness_calibration import calibrate
from llmmon.training.groundedness_card import Trained, write_card
from llmmon.training.groundedness_figures import figures_of, of_predictions
from llmmon.training.ragtruth import Answer, answers
from llmmon.training.swaps import altered

Array = NDArray[np.float32]

SEED: Final = 20231222
FOLDS: Final = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """An answer, its words, and what the network reads of them, not yet standardised."""

    answer: Answer
    words: Words
    values: Array
    own: Array
    other: Array
    marked: Array

    def example(self, mean: Array, scale: Array) -> network.Example:
        """Return it standardised."""
        return network.Example(
            values=(self.values - mean) / scale,
            own=self.own,
            other=self.other,
            marked=self.marked,
            unsupported=float(self.answer.is_unsupported),
        )


def train(data: Path, out: Path, *, say: Callable[[str], None]) -> Trained:
    """Train on the training sources below `data`, write the model to `out`, and measure it on the test sources.

    Parameters
    ----------
    data : Path
        Holds the folder ``halluc_ragtruth_qa``.
    out : Path
        Folder that receives ``model.safetensors``, ``config.json`` and ``README.md``; made if missing.
    say : callable
        Called with lines of progress.

    Notes
    -----
    The training sources are dealt into five parts. Each member of the model learns from four of them and judges
    the fifth: from these judgements, none by a member that saw the source, come calibration and thresholds. The
    test sources are read after all of it is fixed.
    """
    import torch

    torch.set_num_threads(1)  # one thread sums in one order
    torch.use_deterministic_algorithms(True)
    everything = answers(data)
    training = [answer for answer in everything if answer.split == "train"]
    test = [answer for answer in everything if answer.split == "test"]
    real = prepare(training, say=say)
    changed = prepare(altered(training, seed=SEED), say=say)
    flat = np.concatenate([each.values for each in real])
    mean, scale = flat.mean(axis=0), flat.std(axis=0) + np.float32(1e-6)
    fold = _folds([each.answer.source for each in real])
    members, unseen, judged = [], [], []
    for part in range(FOLDS):
        say(f"member {part + 1} of {FOLDS}")
        seen = [each.example(mean, scale) for each in [*real, *changed] if fold[each.answer.source] != part]
        members.append(network.weights(network.fit(seen, seed=SEED + part, say=say)))
        others = [each for each in real if fold[each.answer.source] == part]
        judged += [network.judge(members[-1], each.example(mean, scale)) for each in others]
        unseen += [(each.answer, each.words) for each in others]
    settings = calibrate(unseen, judged, encoder=static_encoder().version)
    cross_validated = of_predictions(unseen, judged, settings)
    say(f"cross-validated: {cross_validated.line()}")
    _save(out, members, mean, scale, settings)
    measured = figures_of(out, test)
    say(f"test: {measured.line()}")
    trained = Trained(
        settings=settings,
        n_training=len(real),
        n_altered=len(changed),
        n_test=len(test),
        cross_validated=cross_validated,
        test=measured,
    )
    write_card(out, trained)
    return trained


def prepare(rows: Sequence[Answer], *, say: Callable[[str], None]) -> list[Prepared]:
    """Return what the network reads of each answer; one without a word is left out."""
    found = []
    room = Room()
    read_once: dict[str, tuple[Words, Words]] = {}
    for n, row in enumerate(rows, start=1):
        if row.source not in read_once:
            read_once[row.source] = (gather(row.documents, row.text).words, read(row.question))
        context, question = read_once[row.source]
        words = read(row.text)
        if len(words) and len(context):
            support = measure(words, context, question, room)
            marked = np.zeros(len(words), dtype=np.float32)
            for start, end in row.spans:
                marked[(words.start < end) & (words.end > start)] = 1
            found.append(
                Prepared(
                    answer=row,
                    words=words,
                    values=support.values,
                    own=leading(words.vectors),
                    other=leading(context.vectors[support.match]),
                    marked=marked,
                )
            )
        if n % 500 == 0 or n == len(rows):
            say(f"read {n} of {len(rows)} answers")
    return found


def _folds(sources: Sequence[str]) -> dict[str, int]:
    names = np.array(sorted(set(sources)))
    np.random.default_rng(SEED).shuffle(names)
    return {str(name): index % FOLDS for index, name in enumerate(names)}


def _save(out: Path, members: Sequence[dict[str, Array]], mean: Array, scale: Array, settings: Settings) -> None:
    from safetensors.numpy import save_file

    out.mkdir(parents=True, exist_ok=True)
    tensors = {name: np.stack([member[name] for member in members]) for name in members[0]}
    save_file({**tensors, "mean": mean, "scale": scale}, out / "model.safetensors")
    told = {"format": FORMAT, "features": list(FEATURES), **asdict(settings)}
    (out / "config.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
