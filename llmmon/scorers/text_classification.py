"""What a text-classification model of one's own choice says of an answer: sentiment, regard, toxicity."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Final

from llmmon.encoder import tokenizable
from llmmon.model import Direction, Scorable, Score
from llmmon.pinned import COMMIT, load_pinned
from llmmon.scorers.base import scorers
from llmmon.scorers.classifiers.model import Classifier, Floats, classifier_of
from llmmon.scorers.text import NO_TEXT

_LONGEST: Final = 512
"""Tokens looked at together, also by a model that could read more."""
_MOST_STRETCHES: Final = 64
"""Stretches of a long answer that are read."""


@scorers.register("text_classification")
@dataclass(frozen=True, kw_only=True, slots=True)
class TextClassification:
    """Probability of one label of a transformers text-classification model, averaged over the stretches of an answer.

    Safetensors only; no code from the model's folder is run, nothing is downloaded unless a commit is named, and a
    missing model is never replaced by another.

    Parameters
    ----------
    model : str
        Folder saved with ``save_pretrained``, or a hub id with `revision`.
    label : str
        Whose probability is the value, as the model's ``id2label`` names it, in any case.
    minus : str or None
        A second label whose probability is taken off, as in ``positive`` minus ``negative``; the value is then from
        -1 to 1.
    revision : str or None
        Commit of a hub id, 40 hexadecimal digits.
    device : str
        ``cpu`` or ``cuda``.

    Notes
    -----
    A model with several labels has softmax probabilities, one whose configuration says ``multi_label_classification``
    sigmoid ones. An answer longer than the model's limit is cut into stretches, weighted by their tokens; of more than
    64 the first are read, which the evidence says.

    References
    ----------
    E. Sheng et al., "The Woman Worked as a Babysitter: On Biases in Language Generation", EMNLP 2019 (regard).
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "probability"
    direction: ClassVar[Direction] = "neither"
    value_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    version: ClassVar[int] = 1

    model: str
    label: str
    minus: str | None = None
    revision: str | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.revision is not None and not COMMIT.fullmatch(self.revision):
            raise ValueError(f"revision is {self.revision!r}; expected a commit of 40 hexadecimal digits")
        if self.device not in ("cpu", "cuda"):
            raise ValueError(f"device is {self.device!r}; expected cpu or cuda")

    def score(self, response: Scorable) -> Score:
        """Return the probability (difference), or the reason why there is no text.

        Raises
        ------
        ModelNotFoundError, BackendUnavailableError
            When the model cannot be loaded or is no text classifier.
        ConfigError
            When it does not have the labels.
        """
        if response.text is None or not response.text.strip():
            return Score(reason=NO_TEXT)
        classifier = _load(self.model, self.revision, self.device)
        plus, minus = (None if label is None else classifier.column_of(label) for label in (self.label, self.minus))
        probabilities, n_stretches = _probabilities(classifier, response.text)
        value = float(probabilities[plus] - (0.0 if minus is None else probabilities[minus]))
        told = zip(classifier.labels, probabilities, strict=True)
        evidence: dict[str, Any] = {label: round(float(probability), 6) for label, probability in told}
        if n_stretches > _MOST_STRETCHES:
            evidence["stretches_read"] = f"{_MOST_STRETCHES} of {n_stretches}"
        return Score(value=value, evidence=evidence)


def _probabilities(classifier: Classifier, text: str) -> tuple[Floats, int]:
    """Return the probability of every label, and how many stretches the text has."""
    import torch

    encoded = classifier.tokenizer(
        tokenizable(text),
        truncation=True,
        max_length=min(classifier.longest, _LONGEST),
        padding=True,
        return_overflowing_tokens=True,
        return_tensors="pt",
    )
    n_stretches = len(encoded["input_ids"])
    inputs = {name: encoded[name][:_MOST_STRETCHES].to(classifier.device) for name in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        found = classifier.probabilities_of(classifier.model(**inputs).logits.float())
    weights = inputs["attention_mask"].sum(dim=1, keepdim=True).float()
    return ((found * weights).sum(dim=0) / weights.sum()).cpu().numpy(), n_stretches


@cache
def _load(model: str, revision: str | None, device: str) -> Classifier:
    found = load_pinned(
        model,
        revision,
        "AutoModelForSequenceClassification",
        where="text_classification",
        expected="a text-classification model",
        device=device,
    )
    return classifier_of(found, model)
