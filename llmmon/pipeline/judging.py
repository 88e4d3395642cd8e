"""Let the scorers of a deployment judge responses, many at a time where a scorer can."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmmon.config import Config, ScorerConfig
from llmmon.model import Scorable, Score
from llmmon.pipeline.fact_scorer import Connect, FactIndex, FactScorer
from llmmon.pipeline.score_batch import Judges, score_batch
from llmmon.scorers.base import Scorer, scorers

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Judge:
    """A scorer of a deployment, ready to judge.

    Parameters
    ----------
    scorer : Scorer
        The plug-in, which says how it judges.
    judges : Judges
        The plug-in, or the plug-in with facts.
    facts : mapping of str to str
        Name and digest of the facts that it judges against; empty without.
    """

    name: str
    scorer: Scorer
    judges: Judges
    settings: ScorerConfig
    facts: dict[str, str]


def judges_of(config: Config, deployment: str, connect: Connect) -> Iterator[Judge]:
    """Yield the judges of a deployment, in its order.

    Raises
    ------
    ConfigError
        When a scorer refuses its parameters, or its facts are not indexed.
    """
    for name, settings in config.deployments[deployment].scorers.items():
        yield judge_of(config, deployment, name, settings, connect)


def judge_of(config: Config, deployment: str, name: str, settings: ScorerConfig, connect: Connect) -> Judge:
    """Return the judge that `settings` describe; see `judges_of`."""
    where = f"deployments.{deployment}.scorers.{name}"
    scorer = settings.judge.create(scorers, where=f"{where}.judge")
    if settings.facts is None:
        return Judge(name=name, scorer=scorer, judges=scorer, settings=settings, facts={})
    index = FactIndex.load(settings.facts, config.facts[settings.facts], connect)
    facts = {"facts": settings.facts, "facts_digest": index.passages.digest.hex()}
    return Judge(name=name, scorer=scorer, judges=FactScorer(scorer, index), settings=settings, facts=facts)


def asks_for_money(settings: ScorerConfig) -> bool:
    """Return whether the scorer asks an endpoint that is paid by the token, so that judging again is not free."""
    return bool(getattr(scorers.get(settings.judge.type), "costs", False))


def scores_of(judge: Judge, responses: Sequence[Scorable]) -> list[Score]:
    """Return one score per response; a response that the scorer raises over has failed, the others go on."""
    return [
        score if isinstance(score, Score) else _failed(judge, response, score)
        for response, score in zip(responses, score_batch(judge.judges, responses), strict=True)
    ]


def _failed(judge: Judge, response: Scorable, error: Exception) -> Score:
    kind = type(error).__name__
    log.warning("request %d, lane %s: %s: %s", response.request_key, response.lane, judge.name, kind)
    return Score(reason=f"the scorer failed: {kind}", is_failed=True)
