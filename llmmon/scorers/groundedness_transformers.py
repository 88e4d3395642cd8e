"""Support of an answer by its context, by a model from the hub or from a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np

from llmmon.errors import ConfigError, ModelNotFoundError
from llmmon.model import Direction, Scorable, Score, Span
from llmmon.pinned import DEVICES, check_pin
from llmmon.scorers.base import scorers
from llmmon.scorers.classifiers.model import CLASSES, Answer, Classifier, Floats, load
from llmmon.scorers.classifiers.windows import Piece, Windows, cut, joined, windows_of
from llmmon.scorers.text import NO_TEXT, abstains, is_about_context, words

_TOGETHER: Final = 64
"""Responses whose contexts are held at a time."""
_FRAME: Final = 12
"""Special tokens of a pair, and blank lines between documents."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is asked about one response.

    Parameters
    ----------
    claims : sequence of (first, last)
        Sentences that are asked about together, the last one exclusive.
    likeness : array of float, shape (sentences, pieces)
        Of each sentence to each piece of the context.
    reads : sequence of (claim, window)
        What each pair of texts is.
    """

    response: Scorable
    sentences: Sequence[Piece]
    claims: Sequence[tuple[int, int]]
    windows: Windows
    likeness: Floats
    reads: Sequence[tuple[int, int]]
    pairs: Sequence[tuple[str, str]]


@scorers.register("groundedness_transformers")
@dataclass(frozen=True, kw_only=True, slots=True)
class GroundednessTransformers:
    """Ask a pretrained model how well each sentence of a response is supported by its context: the least support.

    Runs through Hugging Face transformers, on a GPU in bfloat16, else on CPU in float32. Only safetensors are loaded
    and no code of the model is run. `groundedness` is the sibling that needs no model from elsewhere.

    Parameters
    ----------
    model : str
        Hub id such as ``org/name``, or a folder saved with ``save_pretrained``.
    revision : str or None
        Commit of the hub model, 40 hex digits: a branch or tag can move. None for a folder.
    task : str
        ``nli``: context and sentence, three labels; ``pair_classification``: context and sentence, supported or not;
        ``token_classification``: question with context, and answer, a label for each token.
    support_label, unsupported_label : str or None
        The model's label whose probability is the support, or that of what is not supported; one of them. For ``nli``
        ``support_label`` is ``entailment`` when neither is given.
    threshold : float
        Risk (1 - support) from which a sentence or token counts as unsupported.
    max_tokens : int
        That the model reads at once. A longer context is read in windows.
    max_windows : int
        Windows that a sentence is held against, those most like it by the static encoder.
    token_budget : int
        Tokens in one batch, padding included.
    device : str
        ``cuda``, ``cpu``, or ``auto``: the GPU if there is one.

    Notes
    -----
    The support of a sentence is its largest over the windows; that of a token likewise, and a sentence is as supported
    as its least supported token. A sentence that says that the context does not say, and an answer that abstains,
    claim nothing and are left out, except for token classifiers, which are trained on such answers. Evidence is the
    sentence of the best window that is most like the claim by the static encoder. The value is uncalibrated.

    References
    ----------
    P. Laban et al., "SummaC", TACL 2022 (sentence against stretches of a document, the largest support).
    A. Kovács, G. Recski, "LettuceDetect", 2025 (token classification).
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "probability"
    direction: ClassVar[Direction] = "higher_is_better"
    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    version: ClassVar[int] = 1

    model: str
    revision: str | None = None
    task: str = "nli"
    support_label: str | None = None
    unsupported_label: str | None = None
    threshold: float = 0.5
    max_tokens: int = 512
    max_windows: int = 8
    token_budget: int = 16_384
    device: str = "auto"

    def __post_init__(self) -> None:
        check_pin(self.model, self.revision)
        for name, known in (("task", CLASSES), ("device", DEVICES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected one of {', '.join(known)}")
        if self.support_label is None and self.unsupported_label is None and self.task == "nli":
            object.__setattr__(self, "support_label", "entailment")
        if (self.support_label is None) == (self.unsupported_label is None):
            raise ValueError("expected one of support_label and unsupported_label: what the model's label means")
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold is {self.threshold}; expected a number in (0, 1]")
        if self.max_tokens < 64:
            raise ValueError(f"max_tokens is {self.max_tokens}; expected at least 64")
        for name in ("max_windows", "token_budget"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")

    @property
    def size_bytes(self) -> int:
        """Size of the weights in memory; loads them."""
        return self._loaded().size_bytes

    def score(self, response: Scorable) -> Score:
        """Return the least support of a sentence with its evidence, or the reason why there is none."""
        return self.score_many((response,))[0]

    def score_many(self, responses: Sequence[Scorable]) -> list[Score]:
        """Return a score for each response; the model reads all of them together.

        Raises
        ------
        ModelNotFoundError, BackendUnavailableError
            When the model cannot be loaded.
        ConfigError
            When it has not the label or not the length that is asked of it.
        """
        return [
            score
            for first in range(0, len(responses), _TOGETHER)
            for score in self._score_some(responses[first : first + _TOGETHER])
        ]

    def _score_some(self, responses: Sequence[Scorable]) -> list[Score]:
        plans = [_nothing_to_judge(response) or self._plan(response, self._loaded()) for response in responses]
        pairs = [pair for plan in plans if isinstance(plan, _Plan) for pair in plan.pairs]
        if not pairs:
            return [plan for plan in plans if isinstance(plan, Score)]
        model = self._loaded()
        answers = iter(model.ask(pairs, max_tokens=self.max_tokens, token_budget=self.token_budget))
        return [plan if isinstance(plan, Score) else self._judge(plan, answers, model) for plan in plans]

    def _loaded(self) -> Classifier:
        if self.revision is None and not Path(self.model).is_dir():
            raise ModelNotFoundError(f"model = {self.model!r}: no such folder; set `model` to where the weights are")
        model = load(self.model, self.revision, self.task, self.device)
        if self.max_tokens > model.longest:
            raise ConfigError(f"max_tokens = {self.max_tokens}: {self.model} reads at most {model.longest} tokens")
        return model

    @property
    def _by_token(self) -> bool:
        return self.task == "token_classification"

    def _plan(self, response: Scorable, model: Classifier) -> _Plan | Score:
        text = response.text or ""
        if not self._by_token and abstains(text):
            return Score(reason="the answer abstains: it claims nothing that a document could support")
        longest = self.max_tokens // 3
        tokens = model.tokens(text)
        sentences = [item for item in cut(text, tokens, longest) if _has_word(text[item.start : item.end])]
        if not self._by_token:
            sentences = [item for item in sentences if not is_about_context(text[item.start : item.end])]
        if not sentences:
            return Score(reason="no sentence that claims something")
        claims = [(index, index + 1) for index in range(len(sentences))]
        if self._by_token:
            claims = joined(sentences, tokens, longest)
        question = self._question(response, model)
        room = self.max_tokens - longest - len(model.tokens(question)) - _FRAME
        documents = response.documents
        windows = windows_of(documents, [model.tokens(document.content) for document in documents], room)
        likeness = windows.likeness([text[item.start : item.end] for item in sentences])
        reads = [
            (claim, window)
            for claim, (first, last) in enumerate(claims)
            for window in windows.nearest(likeness[first:last].max(axis=0), self.max_windows)
        ]
        contexts = {window: question + windows.text(window) for window in {window for _, window in reads}}
        asked = [text[sentences[first].start : sentences[last - 1].end] for first, last in claims]
        pairs = [(contexts[window], asked[claim]) for claim, window in reads]
        return _Plan(response, sentences, claims, windows, likeness, reads, pairs)

    def _question(self, response: Scorable, model: Classifier) -> str:
        """Return the end of the prompt, which token classifiers read before the context."""
        if not self._by_token or not response.prompt.strip():
            return ""
        tokens = model.tokens(response.prompt)[-self.max_tokens // 8 :]
        return response.prompt[tokens[0, 0] :] + "\n" if len(tokens) else ""

    def _judge(self, plan: _Plan, answers: Iterator[Answer], model: Classifier) -> Score:
        column = model.column_of(self.support_label or self.unsupported_label or "")
        by_claim: dict[int, list[tuple[int, Answer]]] = {}
        for claim, window in plan.reads:
            by_claim.setdefault(claim, []).append((window, next(answers)))
        checked: list[dict[str, Any]] = []
        spans: list[Span] = []
        for claim, found in by_claim.items():
            told = np.stack([answer.probabilities[:, column] for _, answer in found]).round(6)
            risks = told if self.support_label is None else 1 - told
            first, last = plan.claims[claim]
            start, end = plan.sentences[first].start, plan.sentences[last - 1].end
            places = found[0][1].offsets + start if self._by_token else np.array([[start, end]])
            spans += _runs(places, risks.min(axis=0) >= self.threshold)
            for number in range(first, last):
                sentence = plan.sentences[number]
                inside = (places[:, 0] >= sentence.start) & (places[:, 1] <= sentence.end)
                if inside.any():
                    best = int(risks[:, inside].max(axis=1).argmin())
                    piece = plan.windows.evidence(found[best][0], plan.likeness[number])
                    checked.append(
                        {
                            "start": sentence.start,
                            "end": sentence.end,
                            "support": round(1 - float(risks[:, inside].min(axis=0).max()), 6),
                            "document": plan.windows.documents[piece.document].document_id or piece.document,
                            "evidence_start": piece.start,
                            "evidence_end": piece.end,
                        }
                    )
        if not checked:
            return Score(reason="the model's tokenizer reads no token of the answer")
        supports = [item["support"] for item in checked]
        return Score(
            value=min(supports),
            label="unsupported" if 1 - min(supports) >= self.threshold else "supported",
            spans=tuple(spans),
            evidence={
                "uncalibrated": True,
                "revision": model.revision,
                "n_sentences": len(checked),
                "min_support": min(supports),
                "mean_support": round(sum(supports) / len(supports), 6),
                "n_windows": len(plan.windows.spans),
                "n_windows_read": len({window for _, window in plan.reads}),
                "sentences": checked,
            },
        )


def _nothing_to_judge(response: Scorable) -> Score | None:
    if response.text is None or not response.text.strip():
        return Score(reason=NO_TEXT)
    if not any(document.content.strip() for document in response.documents):
        return Score(reason="no documents")
    if not any(_has_word(document.content) for document in response.documents):
        return Score(reason="no word in the documents")
    return None


def _has_word(text: str) -> bool:
    return next(words(text), None) is not None


def _runs(places: Any, flagged: Any) -> Iterator[Span]:
    """Yield each run of flagged neighbours as one span."""
    where = np.flatnonzero(flagged)
    for run in np.split(where, np.flatnonzero(np.diff(where) > 1) + 1):
        if len(run) and places[run[0], 0] < places[run[-1], 1]:
            yield Span(start=int(places[run[0], 0]), end=int(places[run[-1], 1]), label="unsupported")
