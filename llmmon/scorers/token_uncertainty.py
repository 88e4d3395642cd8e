"""Surprise of a model at the words of an answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from llmmon.model import LOGGED, Direction, Scorable, Score
from llmmon.scorers.base import scorers


@scorers.register("token_uncertainty")
@dataclass(frozen=True, kw_only=True, slots=True)
class TokenUncertainty:
    """Take the mean surprise per token, in nats: minus the mean log-probability.

    For a replay it is the surprise of the model that wrote it. For a logged response it is that of the replay model at
    the logged words, by teacher forcing: it compares traffic with a pinned model and does not say what the serving
    model thought.

    References
    ----------
    M. Fomicheva et al., "Unsupervised Quality Estimation for Neural Machine Translation", TACL 2020.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "nats per token"
    direction: ClassVar[Direction] = "lower_is_better"
    value_range: ClassVar[tuple[float, float]] = (0.0, math.inf)
    version: ClassVar[int] = 1
    is_judge: ClassVar[bool] = False

    def score(self, response: Scorable) -> Score:
        """Return the mean surprise, or the reason why the log-probability is missing."""
        if response.mean_logprob is None:
            logged = response.lane == LOGGED
            return Score(
                reason="no replay gave its log-probability" if logged else "the backend gave no log-probability"
            )
        return Score(value=-response.mean_logprob)
