"""How close an answer is to right reference answers, and how far from wrong ones."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

from llmmon.model import Direction, Scorable, Score
from llmmon.scorers.base import scorers
from llmmon.scorers.final_answer import normalise
from llmmon.scorers.meaning import contradict
from llmmon.scorers.text import NO_TEXT

_CONTRADICTION: Final = 0.2
_OF_WORDS: Final = 0.7


class References(NamedTuple):
    """Answers that are right, and those that are known to be wrong."""

    right: tuple[str, ...]
    wrong: tuple[str, ...]


@scorers.register("answer_agreement")
@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerAgreement:
    """Measure how close a response is to the log's right reference answers, less how close to the wrong ones.

    The log's reference answer is one right answer, or JSON: a list of right ones, or
    ``{"right": [..], "wrong": [..]}``. Prefer ``correctness`` where answers have a form (yes, a number, an option);
    this one is for answers in sentences.

    Parameters
    ----------
    threshold : float
        From which the label says ``agrees``.

    Notes
    -----
    closeness(a, r) = 0.7 F1 + 0.3 cosine, less 0.2 when numbers or a negation contradict, cut off at 0. F1 is of the
    two texts' words that are not the question's, which all its answers share; of all words where no others are left.
    The cosine is of llmmon's static encoder. The value is the closeness to the nearest right reference; where there
    are wrong ones, (1 + nearest right - nearest wrong) / 2. The weights were chosen on half of TruthfulQA's questions.

    References
    ----------
    S. Lin, J. Hilton, O. Evans, "TruthfulQA", ACL 2022 (nearest true less nearest false reference). P. Rajpurkar et
    al., "SQuAD", EMNLP 2016 (F1 of words).
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "closeness"
    direction: ClassVar[Direction] = "higher_is_better"
    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    version: ClassVar[int] = 1

    threshold: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ValueError(f"threshold: expected a number in (0, 1), got {self.threshold}")

    def score(self, response: Scorable) -> Score:
        """Return the agreement with the nearest references as evidence, or the reason why there is none."""
        if response.text is None or not response.text.strip():
            return Score(reason=NO_TEXT)
        references = references_of(response.reference_answer)
        if not references.right:
            return Score(reason="no right reference answer")
        right, near_right = _nearest(response, references.right)
        evidence: dict[str, object] = {"right": right, "closeness_to_right": near_right}
        value = near_right
        if references.wrong:
            wrong, near_wrong = _nearest(response, references.wrong)
            evidence |= {"wrong": wrong, "closeness_to_wrong": near_wrong}
            value = (1 + near_right - near_wrong) / 2
        return Score(value=value, label="agrees" if value >= self.threshold else "differs", evidence=evidence)


def references_of(text: str | None) -> References:
    """Return the reference answers that a log's field holds: one in plain text, or several as JSON.

    Examples
    --------
    >>> references_of('{"right": ["China"], "wrong": ["Japan"]}')
    References(right=('China',), wrong=('Japan',))
    >>> references_of("[Yes]"), references_of(" ")
    (References(right=('[Yes]',), wrong=()), References(right=(), wrong=()))
    """
    if text is None or not text.strip():
        return References((), ())
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, list) and found and all(isinstance(item, str) for item in found):
        return References(tuple(found), ())
    if isinstance(found, dict) and "right" in found and set(found) <= {"right", "wrong"}:
        sides = [found.get(side, []) for side in References._fields]
        if all(isinstance(side, list) and all(isinstance(item, str) for item in side) for side in sides):
            return References(*map(tuple, sides))
    return References((text.strip(),), ())


def _nearest(response: Scorable, references: Sequence[str]) -> tuple[str, float]:
    """Return the reference that the response is closest to, the first of equals, and how close."""
    from llmmon.encoder import static_encoder

    text = response.text or ""
    own, *others = static_encoder().encode([text, *references])
    asked = set(normalise(response.prompt).split())
    closeness = [
        max(
            0.0,
            _OF_WORDS * word_f1(text, reference, without=asked)
            + (1 - _OF_WORDS) * max(0.0, float(own @ vector))
            - _CONTRADICTION * contradict(text, reference),
        )
        for reference, vector in zip(references, others, strict=True)
    ]
    nearest = max(range(len(references)), key=lambda place: closeness[place])
    return references[nearest][:200], round(min(closeness[nearest], 1.0), 6)


def word_f1(first: str, second: str, *, without: set[str]) -> float:
    """Return the F1 of the words of two texts that are not in `without`; of all words where one has no others.

    Examples
    --------
    >>> word_f1("They come from China.", "They come from Japan.", without={"they", "come", "from"})
    0.0
    """
    one, other = (Counter(normalise(text).split()) for text in (first, second))
    bare = [Counter({word: n for word, n in counts.items() if word not in without}) for counts in (one, other)]
    if all(bare):
        one, other = bare
    shared = (one & other).total()
    return 2 * shared / (one.total() + other.total()) if shared else 0.0
