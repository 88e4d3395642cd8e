"""Let a scorer judge several responses at once, each accounted for."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from llmmon.errors import DATA_ERRORS, PluginError
from llmmon.model import Scorable, Score

log = logging.getLogger(__name__)


class Judges(Protocol):
    """What judges one response: a scorer, or one that is given facts."""

    @property
    def plugin_name(self) -> str:
        """Name of the scorer."""
        ...

    def score(self, response: Scorable) -> Score:
        """Judge `response`."""
        ...


def score_batch(scorer: Judges, responses: Sequence[Scorable]) -> list[Score | Exception]:
    """Return one score per response, or what the scorer raised over it.

    A scorer with ``score_many`` is given all of them; where it raises over one it is given them again one by one, so
    that the others have their scores.

    Raises
    ------
    PluginError
        When ``score_many`` gives another number of scores than it was given responses.
    """
    together = getattr(scorer, "score_many", None)
    if together is not None and len(responses) > 1:
        try:
            scores: list[Score | Exception] = list(together(responses))
        except DATA_ERRORS as error:
            log.warning("%s: %s over %d responses; again one by one", scorer.plugin_name, error, len(responses))
        else:
            if len(scores) != len(responses):
                raise PluginError(
                    f"{scorer.plugin_name}: score_many gave {len(scores)} scores for {len(responses)} responses; "
                    "expected one for each, in their order"
                )
            return scores
    return [_alone(scorer, response) for response in responses]


def _alone(scorer: Judges, response: Scorable) -> Score | Exception:
    try:
        return scorer.score(response)
    except DATA_ERRORS as error:
        return error
