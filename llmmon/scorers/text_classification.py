"""What a text-classification model of one's own choice says of an answer: sentiment, regard, toxicity."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Final

from llmmon.errors import ModelNotFoundError
from llmmon.model import Direction, Scorable, Score
from llmmon.pinned import COMMIT, load_pinned
from llmmon.scorers.base import scorers
from llmmon.scorers.text import NO_TEXT

_LONGEST: Final = 512
"""Tokens looked at together where the model states no limit."""
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
        Whose probability is the value, as the model's ``id2label`` names it.
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
        ModelNotFoundError
            When the model is not where the parameters say, is no text classifier, or does not have the labels.
        """
        if response.text is None or not response.text.strip():
            return Score(reason=NO_TEXT)
        classifier = _load(self.model, self.revision, self.device)
        places = [classifier.place(label) for label in (self.label, self.minus) if label is not None]
        probabilities, n_stretches = classifier.probabilities(response.text)
        value = float(probabilities[places[0]] - (probabilities[places[1]] if len(places) == 2 else 0.0))
        evidence: dict[str, Any] = {label: round(float(probabilities[i]), 6) for label, i in classifier.labels.items()}
        if n_stretches > _MOST_STRETCHES:
            evidence["stretches_read"] = f"{_MOST_STRETCHES} of {n_stretches}"
        return Score(value=value, evidence=evidence)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Classifier:
    """A loaded model."""

    name: str
    model: Any
    tokenizer: Any
    length: int
    device: str
    labels: dict[str, int]

    def place(self, label: str) -> int:
        if label not in self.labels:
            raise ModelNotFoundError(f"{self.name}: no label {label!r}; the model has {', '.join(self.labels)}")
        return self.labels[label]

    def probabilities(self, text: str) -> tuple[Any, int]:
        """Return the probability of every label, and how many stretches the text has."""
        import torch

        encoded = self.tokenizer(
            text.encode("utf-8", "replace").decode("utf-8"),  # a tokenizer refuses half a character
            truncation=True,
            max_length=self.length,
            padding=True,
            return_overflowing_tokens=True,
            return_tensors="pt",
        )
        n_stretches = len(encoded["input_ids"])
        inputs = {name: encoded[name][:_MOST_STRETCHES].to(self.device) for name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            logits = self.model(**inputs).logits.float()
        several = self.model.config.problem_type == "multi_label_classification" or logits.shape[1] == 1
        found = logits.sigmoid() if several else logits.softmax(-1)
        weights = inputs["attention_mask"].sum(dim=1, keepdim=True).float()
        return ((found * weights).sum(dim=0) / weights.sum()).cpu().numpy(), n_stretches


@cache
def _load(model: str, revision: str | None, device: str) -> _Classifier:
    found = load_pinned(
        model,
        revision,
        "AutoModelForSequenceClassification",
        where="text_classification",
        expected="a text-classification model",
        device=device,
    )
    tokenizer, config = found.tokenizer, found.model.config
    limits = (tokenizer.model_max_length, getattr(config, "max_position_embeddings", _LONGEST), _LONGEST)
    labels = {str(label): int(place) for place, label in sorted(config.id2label.items())}
    return _Classifier(
        name=f"text_classification: model = {model!r}",
        model=found.model,
        tokenizer=tokenizer,
        length=min(limits),
        device=device,
        labels=labels,
    )
