"""Agreement of the replays of one input with each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

from llmmon.model import Direction, Scorable, Score
from llmmon.scorers.base import scorers
from llmmon.scorers.text import NO_TEXT, words


@scorers.register("self_consistency")
@dataclass(frozen=True, kw_only=True, slots=True)
class SelfConsistency:
    """Average how alike the replays of one input are, over all pairs: 1 the same words in the same order, 0 none.

    Parameters
    ----------
    min_siblings : int
        Other replays of the same input that are needed.

    Notes
    -----
    Similarity is ROUGE-L's F measure: 2 L / (a + b), with L the longest common subsequence of words and a, b the two
    lengths. Answers that differ from draw to draw are more often made up.

    References
    ----------
    P. Manakul et al., "SelfCheckGPT", EMNLP 2023. Z. Lin et al., "Generating with Confidence", TMLR 2024 (lexical
    similarity). C.-Y. Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "similarity"
    direction: ClassVar[Direction] = "higher_is_better"
    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    version: ClassVar[int] = 1
    is_judge: ClassVar[bool] = False

    min_siblings: int = 2

    def __post_init__(self) -> None:
        if self.min_siblings < 1:
            raise ValueError(f"min_siblings: expected at least 1, got {self.min_siblings}")

    def score(self, response: Scorable) -> Score:
        """Return the mean similarity, or the reason why there is none."""
        if response.text is None:
            return Score(reason=NO_TEXT)
        if len(response.siblings) < self.min_siblings:
            return Score(
                reason=f"{len(response.siblings)} other replays of this input; {self.min_siblings} are needed "
                "(variant repeat)"
            )
        # sorted, so that every replay of the input gets the same number
        texts = [
            [match.group().lower() for match in words(text)] for text in sorted((response.text, *response.siblings))
        ]
        similarities = [rouge_l(first, second) for first, second in combinations(texts, 2)]
        return Score(
            value=sum(similarities) / len(similarities),
            evidence={"n_pairs": len(similarities), "lowest": min(similarities)},
        )


def rouge_l(first: Sequence[str], second: Sequence[str]) -> float:
    """Return ROUGE-L's F measure of two word sequences; two empty ones are alike.

    Examples
    --------
    >>> rouge_l("the cat sat".split(), "the cat stood".split()) == 2 / 3
    True
    """
    if not first and not second:
        return 1.0
    # bit-parallel longest common subsequence (Hyyrö 2004): one big-integer step per word
    places: dict[str, int] = {}
    for index, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << index
    full = (1 << len(first)) - 1
    row = full
    for word in second:
        matched = row & places.get(word, 0)
        row = (row + matched | row - matched) & full
    return 2 * (len(first) - row.bit_count()) / (len(first) + len(second))
