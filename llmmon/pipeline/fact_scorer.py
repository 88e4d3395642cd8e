"""Judge answers against passages of a team's reference texts instead of the documents in the log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import Connection

from llmmon.config import FactsConfig
from llmmon.encoder import static_encoder
from llmmon.errors import ConfigError
from llmmon.model import Document, Scorable, Score
from llmmon.scorers.base import Scorer
from llmmon.scorers.text import NO_TEXT, sentences
from llmmon.store.fact_passage import Passage, PassageVectors, passage_vectors, passages_by_words, passages_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Connect = Callable[[], AbstractContextManager[Connection]]

_RANK_OFFSET: Final = 60
"""Of reciprocal rank fusion, as in Cormack et al.: keeps a single first place from deciding alone."""
_PER_LIST: Final = 20
_SENTENCES: Final = 20
_LONGEST: Final = 1000


class Found(NamedTuple):
    """A passage, and the cosine of its vector with the nearest question that was asked of the facts."""

    passage: Passage
    similarity: float

    @property
    def document(self) -> Document:
        """The passage as scorers see it; its id names the document and where in it the passage begins."""
        return Document(content=self.passage.content, document_id=f"{self.passage.document}:{self.passage.start}")


@dataclass(frozen=True, slots=True)
class FactIndex:
    """The indexed passages of some facts, held in memory as vectors.

    Parameters
    ----------
    facts : str
        Name in the configuration.
    connect : callable
        Opens a transaction for each search by words.
    """

    facts: str
    settings: FactsConfig
    connect: Connect
    passages: PassageVectors

    @classmethod
    def load(cls, facts: str, settings: FactsConfig, connect: Connect) -> FactIndex:
        """Return the index of `facts`.

        Raises
        ------
        ConfigError
            When nothing is indexed, or by another encoder.
        """
        with connect() as connection:
            passages = passage_vectors(connection, facts)
        if not len(passages.ids):
            raise ConfigError(f"facts {facts}: nothing is indexed; run `llmmon facts index {facts}`")
        if passages.vectors.shape[1] != static_encoder().dimension:
            raise ConfigError(f"facts {facts}: indexed by another encoder; run `llmmon facts index {facts}`")
        return cls(facts, settings, connect, passages)

    def find(self, texts: Sequence[Sequence[str]]) -> list[list[Found]]:
        """Return for each group of texts the passages that speak of it, best first, at most ``top_k``.

        Ranks by words (Postgres full text) and by vector are fused: a passage gets 1 / (60 + rank) of each list that it
        stands in, for each text. A passage counts only when its vector is near one of the texts.

        References
        ----------
        G. Cormack, C. Clarke, S. Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
        Methods", SIGIR 2009.
        """
        import numpy as np

        flat = [text[:_LONGEST] for group in texts for text in group]
        vectors = static_encoder().encode(flat)
        with self.connect() as connection:
            by_words = passages_by_words(connection, self.facts, flat, language=self.settings.language, limit=_PER_LIST)
            chosen: list[list[tuple[int, float]]] = []
            first = 0
            for group in texts:
                last = first + len(group)
                near = vectors[first:last] @ self.passages.vectors.T
                chosen.append(self._fused(near, by_words[first:last]))
                first = last
            ids = np.array(sorted({key for found in chosen for key, _ in found}), dtype=np.int64)
            known = passages_of(connection, ids.tolist())
        # a passage that was indexed away since the vectors were read is not there any more
        return [[Found(known[key], near) for key, near in found if key in known] for found in chosen]

    def _fused(self, near: NDArray[np.float32], by_words: Sequence[Sequence[int]]) -> list[tuple[int, float]]:
        import numpy as np

        ids = self.passages.ids
        points: defaultdict[int, float] = defaultdict(float)
        for row, words in zip(near, by_words, strict=True):
            n = min(_PER_LIST, len(ids))
            top = np.argpartition(-row, n - 1)[:n]
            for rank, place in enumerate(top[np.lexsort((ids[top], -row[top]))].tolist(), start=1):
                points[place] += 1 / (_RANK_OFFSET + rank)
            for rank, place in enumerate(np.searchsorted(ids, words).tolist(), start=1):
                if place < len(ids) and ids[place] == words[rank - 1]:
                    points[place] += 1 / (_RANK_OFFSET + rank)
        nearest = near.max(axis=0) if len(near) else np.zeros(len(ids))
        good = [place for place in points if nearest[place] >= self.settings.min_similarity]
        good.sort(key=lambda place: (-points[place], ids[place]))
        return [(int(ids[place]), round(float(nearest[place]), 4)) for place in good[: self.settings.top_k]]


@dataclass(frozen=True, slots=True)
class FactScorer:
    """A scorer that is given passages of facts for documents, and whose evidence names them."""

    scorer: Scorer
    index: FactIndex

    @property
    def plugin_name(self) -> str:
        """Name of the scorer."""
        return self.scorer.plugin_name

    def score(self, response: Scorable) -> Score:
        """Judge `response` against the facts that speak of it."""
        return self.score_many([response])[0]

    def score_many(self, responses: Sequence[Scorable]) -> list[Score]:
        """Judge each of `responses`; where no fact speaks of one, that is the reason."""
        found = self.index.find([_texts(response) for response in responses])
        asked = [place for place, passages in enumerate(found) if passages]
        given = [replace(responses[place], documents=tuple(item.document for item in found[place])) for place in asked]
        many = getattr(self.scorer, "score_many", None)
        scores = dict(zip(asked, many(given) if many else map(self.scorer.score, given), strict=True))
        return [
            _with_places(scores[place], found[place], self.index.facts)
            if place in scores
            else Score(reason=self._nothing(response))
            for place, response in enumerate(responses)
        ]

    def _nothing(self, response: Scorable) -> str:
        return f"no fact in {self.index.facts} speaks of this" if (response.text or "").strip() else NO_TEXT


def _texts(response: Scorable) -> list[str]:
    """Return what is asked of the facts: the answer after its question, and each of its first sentences."""
    if response.text is None or not response.text.strip():
        return []
    parts = [match.group() for match in sentences(response.text)]
    return [f"{response.prompt[-_LONGEST // 2 :]} {response.text}", *parts[:_SENTENCES]]


def _with_places(score: Score, found: Sequence[Found], facts: str) -> Score:
    """Return `score` with the passages in its evidence, and its offsets into passages as offsets into documents."""
    passages = {item.document.document_id: item.passage for item in found}
    told = [
        {"document": passage.document, "start": passage.start, "end": passage.end, "similarity": similarity}
        for passage, similarity in found
    ]
    evidence = {key: _moved(value, passages) for key, value in score.evidence.items()}
    return replace(score, evidence={**evidence, "facts": facts, "passages": told})


def _moved(value: Any, passages: Mapping[str | None, Passage]) -> Any:
    if isinstance(value, list | tuple):
        return [_moved(item, passages) for item in value]
    if not isinstance(value, Mapping):
        return value
    passage = passages.get(value.get("document")) if isinstance(value.get("document"), str) else None
    if passage is None:
        return {key: _moved(item, passages) for key, item in value.items()}
    offsets = {key: value[key] + passage.start for key in ("evidence_start", "evidence_end") if key in value}
    return {**value, **offsets, "document": passage.document}
