"""What a scorer is: it judges one response."""

from __future__ import annotations

from typing import ClassVar, Protocol

from llmmon.model import Direction, Scorable, Score
from llmmon.registry import Registry


class Scorer(Protocol):
    """Judges ONE response; absent is a reason, never a zero.

    A scorer may also have what is not asked of every one:

    - ``score_many(responses: Sequence[Scorable]) -> list[Score]``, for a model that works in batches: one score for
      each response, in their order, each what ``score`` gives for it alone.
    - ``risk_threshold: float``, for `llmmon evaluate`: from which risk (the value, or its largest possible value minus
      the value where higher is better) a response counts as found. Fixed on training data.
    - ``size_bytes: int``, of its model.
    - ``costs: ClassVar[bool]``, true when every judgement is paid: nothing is then judged again but the score stage.
      What was paid stands under ``usage`` in the evidence, see `llmmon.store.judge_usage`.

    Attributes
    ----------
    unit : str
        Of the value, such as ``probability``, ``words`` or ``0/1``.
    direction : str
        Which way is better.
    value_range : tuple of float
        Least and largest value there can be; an interval of a mean is cut off there.
    version : int
        Raised when the same parameters would judge differently; stored with every score.
    is_judge : bool
        Whether its value is an opinion that people can find wrong: rates of it are then marked ``uncalibrated``. True
        unless a scorer says otherwise, as those do that count, time or compare.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str]
    direction: ClassVar[Direction]
    value_range: ClassVar[tuple[float, float]]
    version: ClassVar[int]

    def score(self, response: Scorable) -> Score:
        """Judge `response`."""
        ...


def is_judge(scorer: type[Scorer]) -> bool:
    """Return whether rates of this scorer's values need human labels before they are rates of what it looks for."""
    return bool(getattr(scorer, "is_judge", True))


scorers: Registry[Scorer] = Registry("scorers")
