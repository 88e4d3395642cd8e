"""Support of an answer by the context that the model was given."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from llmmon.model import Direction, Document, Scorable, Score, Span
from llmmon.scorers.base import scorers
from llmmon.scorers.text import NO_TEXT, abstains, is_about_context, sentences, words

_EMPTY_WORDS: Final = frozenset(
    """a about above after again against all also although am an and any are as at be because been before being below
    between both but by can could did do does doing down during each few for from further had has have having he her
    here hers herself him himself his how however i if in into is it its itself just may me might more most must my
    myself no nor not now of off on once only or other our ours ourselves out over own same she should so some such
    than that the their theirs them themselves then there therefore these they this those through thus to too under
    until up upon very was we were what when where whether which while who whom why will with within without would yes
    you your yours yourself yourselves answer based context document documents following given information mentioned
    passage passages provided question text according states stated""".split()  # noqa: SIM905  as prose it can be read
)
_SUFFIXES: Final = ("ings", "ing", "edly", "ies", "ied", "ed", "es", "ly", "s")


@dataclass(frozen=True, slots=True)
class _Passage:
    document: int
    start: int
    end: int
    stems: frozenset[str]


@scorers.register("lexical_support")
@dataclass(frozen=True, kw_only=True, slots=True)
class LexicalSupport:
    """Measure lexical support of each sentence of a response in its context: the share of sentences that have it.

    The support of a sentence is the share of its content words, weighted by how rare they are in the context, that the
    best stretch of at most `stretch` consecutive context sentences contains. Words are compared by stem. It is a
    cheap signal: it does not read negation, and a faithful paraphrase can score low. Its evidence says ``uncalibrated``
    because no human labels have been used to turn it into a probability.

    Parameters
    ----------
    threshold : float
        A sentence with at least this support counts as supported.
    stretch : int
        Context sentences that one sentence may draw on together.

    Notes
    -----
    support(s) = sum of idf(w) over the words of s found in the stretch / sum of idf(w) over the words of s, with
    idf(w) = ln(1 + N / (1 + df(w))), N context sentences and df(w) of them containing w. A sentence of one
    content word beside longer ones, one that says that the context does not say, and an answer that abstains ("can't
    be determined") claim nothing and are left out.

    References
    ----------
    C. Niu et al., "RAGTruth: A Hallucination Corpus for Developing Trustworthy Retrieval-Augmented Language Models",
    ACL 2024. On its question-answering part 1 - value tells hallucinated answers from others with an AUROC of 0.79 on
    435 test answers and 0.72 on the 3,356 training answers, where `threshold` was chosen.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "share of sentences"
    direction: ClassVar[Direction] = "higher_is_better"
    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    version: ClassVar[int] = 1

    threshold: float = 0.4
    stretch: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold: expected a number in (0, 1], got {self.threshold}")
        if self.stretch < 1:
            raise ValueError(f"stretch: expected at least 1 sentence, got {self.stretch}")

    def score(self, response: Scorable) -> Score:
        """Return the share of supported sentences, the spans of the others, and each one's best evidence."""
        if response.text is None or not response.text.strip():
            return Score(reason=NO_TEXT)
        if not any(document.content.strip() for document in response.documents):
            return Score(reason="no documents")
        if abstains(response.text):
            return Score(reason="the answer abstains: it claims nothing that a document could support")
        passages, rarity, unseen = _index(response.documents, self.stretch)
        claims = list(_claims(response.text))
        if not claims:
            return Score(reason="no sentence that claims something")
        checked = [
            _support(sentence, stems, passages, rarity, unseen, response.documents) for sentence, stems in claims
        ]
        unsupported = [item for item in checked if item["support"] < self.threshold]
        return Score(
            value=1 - len(unsupported) / len(checked),
            label="supported" if not unsupported else "unsupported",
            spans=tuple(Span(start=item["start"], end=item["end"], label="unsupported") for item in unsupported),
            evidence={
                "uncalibrated": True,
                "n_sentences": len(checked),
                "min_support": min(item["support"] for item in checked),
                "mean_support": round(sum(item["support"] for item in checked) / len(checked), 4),
                "sentences": checked,
            },
        )


def _claims(text: str) -> list[tuple[re.Match[str], frozenset[str]]]:
    """Return the sentences that claim something, with their stems; one-word ones only where there is nothing longer."""
    found = [(item, _stems(item.group())) for item in sentences(text) if not is_about_context(item.group())]
    longer = [(item, stems) for item, stems in found if len(stems) > 1]
    return longer or [(item, stems) for item, stems in found if stems]


def _stems(text: str) -> frozenset[str]:
    return frozenset(
        _stem(word) for word in (match.group().lower() for match in words(text)) if word not in _EMPTY_WORDS
    )


def _stem(word: str) -> str:
    word = word.removesuffix("'s").removesuffix("\u2019s")
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            return word[: -len(suffix)] + ("y" if suffix in {"ies", "ied"} else "")
    return word


def _index(documents: Sequence[Document], stretch: int) -> tuple[list[_Passage], dict[str, float], float]:
    """Return the stretches of the documents, the idf of every stem in them, and that of a stem not in them."""
    passages: list[_Passage] = []
    counts: Counter[str] = Counter()
    n_sentences = 0
    for number, document in enumerate(documents):
        found = [(match.start(), match.end(), _stems(match.group())) for match in sentences(document.content)]
        n_sentences += len(found)
        for _, _, stems in found:
            counts.update(stems)
        for first in range(max(1, len(found) - stretch + 1)):
            part = found[first : first + stretch]
            if part:
                together = frozenset().union(*(stems for _, _, stems in part))
                passages.append(_Passage(number, part[0][0], part[-1][1], together))
    rarity = {stem: math.log(1 + n_sentences / (1 + count)) for stem, count in counts.items()}
    return passages, rarity, math.log(1 + n_sentences)


def _support(
    sentence: re.Match[str],
    stems: frozenset[str],
    passages: Sequence[_Passage],
    rarity: dict[str, float],
    unseen: float,
    documents: Sequence[Document],
) -> dict[str, Any]:
    total = sum(rarity.get(stem, unseen) for stem in stems)
    known = stems & rarity.keys()
    best, weight = passages[0], 0.0
    for passage in passages:
        found = sum(rarity[stem] for stem in known & passage.stems)
        if found > weight:
            best, weight = passage, found
    return {
        "start": sentence.start(),
        "end": sentence.end(),
        "support": round(weight / total, 4),
        "document": documents[best.document].document_id or best.document,
        "evidence_start": best.start,
        "evidence_end": best.end,
    }
