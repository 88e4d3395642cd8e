"""How many different things the replays of one input say."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Final, Literal, get_args

from llmmon.model import Direction, Scorable, Score
from llmmon.scorers.base import scorers
from llmmon.scorers.meaning import Same, contradict, differ_by_name, group_by_meaning
from llmmon.scorers.text import NO_TEXT

Correction = Literal["chao_shen", "none"]

_LONGEST_PROMPT: Final = 300
_LONGEST_TEXT: Final = 1000
"""Characters of question and answer that a natural-language-inference model is shown, so that a pair fits it."""
_MAX_TOKENS: Final = 512


@scorers.register("semantic_entropy")
@dataclass(frozen=True, kw_only=True, slots=True)
class SemanticEntropy:
    """Take the entropy over what the replays of one input mean: 0 when all say the same, more the less they agree.

    Replays are put into clusters of equal meaning. Where the prompt asks for a form (``[Yes]``, ``boxed{}``, an
    option) the answer in that form decides. Elsewhere two replays mean the same when no number, name or negation
    tells them apart and their vectors are close, or, with `model`, when each entails the other. It needs replays drawn
    at a temperature above 0: the variant ``repeat``. Prefer it to ``self_consistency`` where right answers can be
    worded in many ways; neither sees a model that is wrong the same way every time.

    Parameters
    ----------
    min_siblings : int
        Other replays of the same input that are needed.
    min_similarity : float
        Cosine of two replays' vectors, by llmmon's static encoder, from which their wording is the same.
    model : str or None
        Folder or hub id of a natural-language-inference model that decides instead of the encoder.
    revision : str or None
        Commit of a hub id.
    device : str
        Where `model` runs: ``auto``, ``cpu`` or ``cuda``.
    correction : str
        ``chao_shen`` for what few replays have not shown; ``none`` for the entropy of the shares as counted.
    by_likelihood : bool
        Whether a replay weighs exp of its mean log-probability instead of 1; then nothing is corrected.

    Notes
    -----
    With p_c the share of cluster c among k replays, the entropy is -sum p_c ln p_c, which k replays underestimate by
    about (clusters - 1) / 2k and cannot put above ln k. Chao and Shen's estimator scales p_c by the estimated coverage
    C = 1 - (clusters of one replay) / k and divides each term by 1 - (1 - C p_c)^k. Over 4,000 draws from four equally
    likely meanings (entropy 1.39) the bias is -0.37 uncorrected and +0.11 corrected at k = 5, -0.60 and +0.18 at k = 3.
    One corrected value scatters more; it is the mean over a window that gains. Windows with different k compare fairly
    only corrected. The evidence holds both, and ``agreement``: the share of the other replays that mean what this one
    means.

    References
    ----------
    L. Kuhn, Y. Gal, S. Farquhar, "Semantic Uncertainty", ICLR 2023. S. Farquhar et al., "Detecting hallucinations in
    large language models using semantic entropy", Nature 630, 2024. A. Chao, T.-J. Shen, "Nonparametric estimation of
    Shannon's index of diversity when there are unseen species in sample", Environ. Ecol. Stat. 10, 2003.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "nats"
    direction: ClassVar[Direction] = "lower_is_better"
    value_range: ClassVar[tuple[float, float]] = (0.0, math.inf)
    version: ClassVar[int] = 1

    min_siblings: int = 2
    min_similarity: float = 0.8
    model: str | None = None
    revision: str | None = None
    device: str = "auto"
    correction: Correction = "chao_shen"
    by_likelihood: bool = False

    def __post_init__(self) -> None:
        if self.min_siblings < 1:
            raise ValueError(f"min_siblings: expected at least 1, got {self.min_siblings}")
        if not 0 < self.min_similarity <= 1:
            raise ValueError(f"min_similarity: expected a number in (0, 1], got {self.min_similarity}")
        if self.correction not in get_args(Correction):
            raise ValueError(f"correction: expected one of {', '.join(get_args(Correction))}, got {self.correction!r}")

    def score(self, response: Scorable) -> Score:
        """Return the entropy in nats, or the reason why there is none."""
        if response.text is None or not response.text.strip():
            return Score(reason=NO_TEXT)
        if len(response.siblings) < self.min_siblings:
            return Score(
                reason=f"{len(response.siblings)} other replays of this input; {self.min_siblings} are needed "
                "(variant repeat)"
            )
        # sorted, so that every replay of the input gets the same clusters
        texts = tuple(sorted((response.text, *response.siblings)))
        clusters = dict(zip(texts, _clusters(self, texts, response.prompt), strict=True))
        logprobs = (response.mean_logprob, *response.sibling_logprobs)
        weighted = _by_likelihood([clusters[text] for text in (response.text, *response.siblings)], logprobs)
        if self.by_likelihood and weighted is None:
            return Score(reason="the backend gave no log-probability of every replay")
        counts = Counter(clusters[text] for text in texts)
        value = weighted if self.by_likelihood else entropy(list(counts.values()), corrected=self.correction != "none")
        return Score(
            value=value,
            evidence={
                "n_replays": len(texts),
                "cluster_sizes": sorted(counts.values(), reverse=True),
                "agreement": (counts[clusters[response.text]] - 1) / len(response.siblings),
                "entropy_as_counted": entropy(list(counts.values()), corrected=False),
                "entropy_by_likelihood": weighted,
            },
        )


def entropy(counts: Sequence[int], *, corrected: bool) -> float:
    """Return the entropy in nats of what was counted; `corrected` by Chao and Shen for what was not seen.

    Examples
    --------
    >>> round(entropy([2, 2], corrected=False), 4), entropy([5], corrected=True)
    (0.6931, 0.0)
    """
    n = sum(counts)
    if not corrected:
        return _plain_entropy([count / n for count in counts])
    # where every replay is alone the coverage would be 0: one is taken for seen twice, as is usual
    coverage = 1 - min(sum(count == 1 for count in counts), n - 1) / n
    shares = [coverage * count / n for count in counts]
    return abs(sum(share * math.log(share) / (1 - (1 - share) ** n) for share in shares))


def _plain_entropy(shares: Sequence[float]) -> float:
    # abs: the entropy of one cluster would be -0.0
    return abs(sum(share * math.log(share) for share in shares if share > 0))


def _by_likelihood(clusters: Sequence[int], logprobs: Sequence[float | None]) -> float | None:
    known = [logprob for logprob in logprobs if logprob is not None]
    if len(known) != len(clusters):
        return None
    largest = max(known)
    weights: defaultdict[int, float] = defaultdict(float)
    for cluster, logprob in zip(clusters, known, strict=True):
        weights[cluster] += math.exp(logprob - largest)
    total = sum(weights.values())
    return _plain_entropy([weight / total for weight in weights.values()])


@lru_cache(maxsize=64)
def _clusters(scorer: SemanticEntropy, texts: tuple[str, ...], prompt: str) -> tuple[int, ...]:
    """Return the cluster of each text; kept for the other replays of the input, which ask the same."""
    same = _same_by_model(scorer, prompt) if scorer.model is not None else _same_by_vector(scorer, texts)
    return tuple(group_by_meaning(texts, prompt, same))


def _same_by_vector(scorer: SemanticEntropy, texts: tuple[str, ...]) -> Same:
    vectors: dict[str, Any] = {}

    def same(first: str, second: str) -> bool:
        if contradict(first, second) or differ_by_name(first, second):
            return False
        if not vectors:  # texts whose answers decide are never encoded
            from llmmon.encoder import static_encoder

            vectors.update(zip(texts, static_encoder().encode(list(texts)), strict=True))
        return float(vectors[first] @ vectors[second]) >= scorer.min_similarity

    return same


def _same_by_model(scorer: SemanticEntropy, prompt: str) -> Same:
    from llmmon.scorers.classifiers.model import load

    assert scorer.model is not None
    judge = load(scorer.model, scorer.revision, "nli", scorer.device)
    entails = judge.column_of("entailment")
    asked = prompt[-_LONGEST_PROMPT:]

    def same(first: str, second: str) -> bool:
        # an answer of a few words says something only after its question, as in Kuhn et al.
        one, other = (f"{asked} {text[:_LONGEST_TEXT]}" for text in (first, second))
        pairs = [(one, other), (other, one)]
        answers = judge.ask(pairs, max_tokens=min(judge.longest, _MAX_TOKENS), token_budget=2 * _MAX_TOKENS)
        return all(int(answer.probabilities[0].argmax()) == entails for answer in answers)

    return same
