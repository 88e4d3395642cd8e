"""Whether an answer is grounded in the context that the model was given, by a small trained model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from llmmon.errors import ModelNotFoundError
from llmmon.model import Direction, Scorable, Score
from llmmon.scorers.base import scorers
from llmmon.scorers.grounding.context import Context, gather
from llmmon.scorers.grounding.shipped import SHIPPED, GroundednessModel, load, settings_of
from llmmon.scorers.grounding.spans import unsupported_spans
from llmmon.scorers.grounding.support import Room, measure
from llmmon.scorers.grounding.words import Words, read
from llmmon.scorers.text import NO_TEXT

LONGEST_ANSWER = 1_500
"""Words of an answer that are judged together; a longer one is judged in parts."""


@scorers.register("groundedness")
@dataclass(frozen=True, kw_only=True, slots=True)
class Groundedness:
    """Estimate the probability that nothing in an answer is unsupported by its context.

    A small network reads, for each word of the answer, how well the context has it and what stands around it, and says
    how likely people would mark it as made up or contradicted. The value is 1 minus the probability that they would
    mark anything. Spans name what is unsupported, the evidence gives each sentence's support and the place in the
    documents that supports it best. CPU only, no download. `lexical_support` is the sibling without training.

    Parameters
    ----------
    threshold : float or None
        Probability of an unsupported answer from which it is labelled ``unsupported``; None takes the one that was
        fixed on the model's training data.
    model : str
        Folder that ``llmmon train groundedness`` wrote; empty for the model that comes with llmmon.

    Notes
    -----
    Calibrated on the question-answering part of RAGTruth, in English; for other traffic, labels from ``llmmon review``
    correct the rate. An answer that abstains makes no claim and gets a high value. Of more than 16,000 characters of
    context, the passages most like the answer's sentences are compared. An answer of more than 1,500 words is judged
    in parts; its value is that of the worst.

    References
    ----------
    C. Niu et al., "RAGTruth: A Hallucination Corpus for Developing Trustworthy Retrieval-Augmented Language Models",
    ACL 2024 (task and labels). A. Kovács, G. Recski, "LettuceDetect", 2025 (token classification).
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "probability"
    direction: ClassVar[Direction] = "higher_is_better"
    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    version: ClassVar[int] = 2

    threshold: float | None = None
    model: str = ""

    def __post_init__(self) -> None:
        if self.threshold is None:
            try:
                object.__setattr__(self, "threshold", settings_of(self._folder).threshold)
            except ModelNotFoundError as error:
                raise ValueError(f"model: {error}") from error
        if not 0 < self.risk_threshold < 1:
            raise ValueError(f"threshold: expected a number between 0 and 1, got {self.threshold}")

    @property
    def _folder(self) -> Path:
        return Path(self.model) if self.model else SHIPPED

    @property
    def risk_threshold(self) -> float:
        """Probability of an unsupported answer from which it counts as found."""
        assert self.threshold is not None  # set in __post_init__
        return self.threshold

    @property
    def size_bytes(self) -> int:
        """Size of the weights on disk; the static encoder's are not counted."""
        return load(self._folder).size_bytes

    def score(self, response: Scorable) -> Score:
        """Return the probability that the answer is supported, or the reason why there is none."""
        return self.score_many((response,))[0]

    def score_many(self, responses: Sequence[Scorable]) -> list[Score]:
        """Return a score for each response; a context or question that several share is read once."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, user_api="blas"):  # threads that share out such small products wait for each other
            return self._judged(responses, load(self._folder))

    def _judged(self, responses: Sequence[Scorable], model: GroundednessModel) -> list[Score]:
        contexts: dict[Any, Context] = {}
        questions: dict[str, Words] = {}
        room = Room()
        scores = []
        for response in responses:
            if response.text is None or not response.text.strip():
                scores.append(Score(reason=NO_TEXT))
                continue
            if not any(document.content.strip() for document in response.documents):
                scores.append(Score(reason="no documents"))
                continue
            key = tuple(document.content for document in response.documents)
            context = contexts.get(key)
            if context is None:
                context = gather(response.documents, response.text)
                if not context.n_left_out:  # what was chosen from a long one depends on the answer
                    contexts[key] = context
            if response.prompt not in questions:
                questions[response.prompt] = read(response.prompt[-2_000:])
            scores.append(self._judge(response, context, questions[response.prompt], model, room))
        return scores

    def _judge(
        self, response: Scorable, context: Context, question: Words, model: GroundednessModel, room: Room
    ) -> Score:
        assert response.text is not None
        answer = read(response.text)
        if not len(answer):
            return Score(reason="no word in the answer")
        if not len(context.words):
            return Score(reason="no word in the documents")
        log_odds = np.zeros(len(answer))
        evidence = np.zeros(len(answer), dtype=np.intp)
        whole = -np.inf
        for part in _parts(answer):
            piece = answer.between(part.start, part.stop)
            support = measure(piece, context.words, question, room)
            log_odds[part], odds = model.log_odds(piece, context.words, support)
            evidence[part] = support.evidence
            whole = max(whole, odds)
        risk = float(model.settings.answer(whole))
        sentences = _sentences(answer, log_odds, evidence, context, response, model)
        unsupported = risk >= self.risk_threshold
        spans = (
            unsupported_spans(answer, model.settings.word(log_odds), model.settings.word_threshold)
            if unsupported
            else ()
        )
        return Score(
            value=1 - risk,
            label="unsupported" if unsupported else "supported",
            spans=spans,
            evidence={
                "calibrated_on": "RAGTruth QA; labels of your own traffic: llmmon review",
                "n_sentences": len(sentences),
                "min_support": min(sentence["support"] for sentence in sentences),
                "sentences": sentences,
                **({"context_left_out_characters": context.n_left_out} if context.n_left_out else {}),
            },
        )


def _parts(answer: Words) -> list[slice]:
    """Return the answer cut between sentences, where it can be, into parts of at most `LONGEST_ANSWER` words."""
    parts, first = [], 0
    while len(answer) - first > LONGEST_ANSWER:
        last = first + LONGEST_ANSWER
        begins = int(np.searchsorted(answer.sentence, answer.sentence[last]))
        last = begins if begins > first else last
        parts.append(slice(first, last))
        first = last
    return [*parts, slice(first, len(answer))]


def _sentences(
    answer: Words,
    log_odds: NDArray[np.float64],
    evidence: NDArray[np.intp],
    context: Context,
    response: Scorable,
    model: GroundednessModel,
) -> list[dict[str, Any]]:
    found = []
    for sentence in np.unique(answer.sentence):
        mine = np.flatnonzero(answer.sentence == sentence)
        number, start, end = context.find(int(evidence[mine[0]]))
        found.append(
            {
                "start": int(answer.sentences[sentence, 0]),
                "end": int(answer.sentences[sentence, 1]),
                "support": round(1 - float(model.settings.sentence(log_odds[mine].max())), 4),
                "document": response.documents[number].document_id or number,
                "evidence_start": start,
                "evidence_end": end,
            }
        )
    return found
