"""Agreement of an answer with the reference answer in the log."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, get_args

from llmmon.model import Direction, Scorable, Score
from llmmon.scorers.base import scorers
from llmmon.scorers.final_answer import boxed, bracketed, normalise, yes_no
from llmmon.scorers.text import NO_TEXT, find_option

How = Literal["auto", "exact", "normalised", "contains", "yes_no", "boxed", "option"]

_EXTRACT: Final[dict[str, Callable[[str], str | None]]] = {
    "exact": str.strip,
    "normalised": normalise,
    "yes_no": yes_no,
    "bracketed": bracketed,
    "boxed": boxed,
    "option": find_option,
}


def _bare_reference(how: str, reference: str) -> str:
    return yes_no(reference) or normalise(reference) if how in {"bracketed", "yes_no"} else reference.strip()


@scorers.register("correctness")
@dataclass(frozen=True, kw_only=True, slots=True)
class Correctness:
    """Compare a response with the log's reference answer: 1 they agree, 0 they do not.

    Parameters
    ----------
    how : str
        ``exact``; ``normalised``: case, punctuation and articles do not matter; ``contains``: the normalised reference
        stands in the normalised answer; ``yes_no``: the last ``[Yes]`` or ``[No]``, and where the prompt does not ask
        for brackets also a yes or no that begins or ends the answer; ``boxed``: the last ``boxed{...}``; ``option``:
        the letter that the answer begins with; or ``auto``: what fits how the reference answer is written.

    Notes
    -----
    An answer from which nothing can be read, such as one without any yes or no, is wrong.

    References
    ----------
    P. Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", EMNLP 2016 (normalisation).
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "0/1"
    direction: ClassVar[Direction] = "higher_is_better"
    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    version: ClassVar[int] = 1
    is_judge: ClassVar[bool] = False

    how: How = "auto"

    def __post_init__(self) -> None:
        if self.how not in get_args(How):
            raise ValueError(f"how: expected one of {', '.join(get_args(How))}, got {self.how!r}")

    def score(self, response: Scorable) -> Score:
        """Return 1 or 0, or the reason why there is nothing to compare."""
        if response.reference_answer is None or not response.reference_answer.strip():
            return Score(reason="no reference answer")
        if response.text is None:
            return Score(reason=NO_TEXT)
        how = self._fitting(response.reference_answer) if self.how == "auto" else self.how
        if how == "yes_no" and bracketed(response.prompt):
            how = "bracketed"
        if how == "contains":
            expected: str | None = normalise(response.reference_answer)
            found: str | None = normalise(response.text)
            agrees = bool(expected) and f" {expected} " in f" {found} "
        else:
            extract = _EXTRACT[how]
            # a reference may be written bare ("3", "yes") where answers are asked for as boxed{3} or [Yes]
            expected = extract(response.reference_answer) or _bare_reference(how, response.reference_answer)
            found = extract(response.text)
            agrees = found is not None and found == expected
        return Score(
            value=1.0 if agrees else 0.0,
            label="correct" if agrees else "wrong",
            evidence={"how": how, "expected": expected, "found": None if found is None else found[:200]},
        )

    @staticmethod
    def _fitting(reference: str) -> str:
        if boxed(reference) is not None:
            return "boxed"
        plain = normalise(reference)
        if plain in {"yes", "no"}:
            return "yes_no"
        return "option" if re.fullmatch(r"\W*[A-Z]\W*", reference.strip()) else "normalised"
