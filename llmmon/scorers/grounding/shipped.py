"""Read and run a trained groundedness model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from llmmon.encoder import static_encoder
from llmmon.errors import ModelNotFoundError
from llmmon.scorers.grounding.network import forward, leading
from llmmon.scorers.grounding.support import FEATURES, Support
from llmmon.scorers.grounding.words import Words

Array = NDArray[np.float32]

SHIPPED: Final = Path(__file__).with_name("weights")
"""Folder of the model that comes with llmmon, as ``llmmon train groundedness`` wrote it."""
FORMAT: Final = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """A logistic curve: probability = sigmoid(slope * log-odds + intercept)."""

    slope: float
    intercept: float

    def __call__(self, log_odds: Any) -> Any:
        """Return probabilities."""
        return 1 / (1 + np.exp(-np.clip(self.slope * log_odds + self.intercept, -30, 30)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What was fixed on training data beside the weights.

    Parameters
    ----------
    encoder : str
        Version of the static encoder that the features were made with.
    answer, sentence, word : Calibration
        From mean log-odds of the members to the probability that the answer, the sentence, the word is unsupported.
    threshold : float
        Probability from which an answer counts as unsupported.
    word_threshold : float
        Probability from which a word of an unsupported answer is inside a span.
    """

    encoder: str
    answer: Calibration
    sentence: Calibration
    word: Calibration
    threshold: float
    word_threshold: float


@dataclass(frozen=True, kw_only=True, slots=True)
class GroundednessModel:
    """Some networks whose log-odds are averaged, and their settings.

    Parameters
    ----------
    weights : mapping of str to array
        Of `network.forward`.
    mean, scale : array, shape (features,)
        That the features are standardised with.
    size_bytes : int
        Of the weights on disk.
    """

    settings: Settings
    weights: Mapping[str, Array]
    mean: Array
    scale: Array
    size_bytes: int

    def log_odds(self, answer: Words, context: Words, support: Support) -> tuple[Array, float]:
        """Return the mean log-odds to be unsupported of each word and of the answer."""
        values = (support.values - self.mean) / self.scale
        words, whole = forward(self.weights, values, leading(answer.vectors), leading(context.vectors[support.match]))
        return words.mean(axis=0), float(whole.mean())


@cache
def load(folder: Path = SHIPPED) -> GroundednessModel:
    """Return the model in `folder`, loaded once in a process.

    Raises
    ------
    ModelNotFoundError
        When there is no ``model.safetensors`` and ``config.json``, when they are something else, or when they were
        made for another version of the features or of the encoder.
    """
    settings = settings_of(folder)
    if settings.encoder != static_encoder().version:
        raise ModelNotFoundError(
            f"{folder}: made with encoder {settings.encoder}, this llmmon has {static_encoder().version}; train anew"
        )
    path = folder / "model.safetensors"
    weights = _tensors(path)
    try:
        mean, scale = weights.pop("mean"), weights.pop("scale")
    except KeyError as error:
        raise ModelNotFoundError(f"{path}: no tensor {error}; make the folder by llmmon train groundedness") from error
    return GroundednessModel(settings=settings, weights=weights, mean=mean, scale=scale, size_bytes=path.stat().st_size)


def settings_of(folder: Path) -> Settings:
    """Return the settings in ``config.json``; raises `ModelNotFoundError`."""
    path = folder / "config.json"
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["format"] != FORMAT or tuple(told["features"]) != FEATURES:
            raise ModelNotFoundError(
                f"{path}: made for other features than this version of llmmon computes; train anew"
            )
        settings = Settings(
            encoder=str(told["encoder"]),
            threshold=float(told["threshold"]),
            word_threshold=float(told["word_threshold"]),
            answer=Calibration(**told["answer"]),
            sentence=Calibration(**told["sentence"]),
            word=Calibration(**told["word"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelNotFoundError(
            f"{path}: no groundedness model there: {type(error).__name__}: {error}; "
            "expected a folder that llmmon train groundedness wrote"
        ) from error
    return settings


def _tensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors: dict[str, Any] = load_file(path)
    except FileNotFoundError as error:
        others = sorted(item.name for item in path.parent.glob("*") if item.suffix in {".bin", ".pt", ".pkl", ".pth"})
        found = f"; {', '.join(others)} is not read: only safetensors cannot run code" if others else ""
        raise ModelNotFoundError(f"{path}: no such file{found}") from error
    except (OSError, SafetensorError) as error:
        raise ModelNotFoundError(f"{path}: not a safetensors file: {error}; nothing else is read") from error
    return tensors
