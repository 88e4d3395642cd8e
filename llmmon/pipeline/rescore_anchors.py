"""Let each scorer judge its anchors again: the same texts tell a changed judge from a changed model."""

from __future__ import annotations

import logging

from llmmon.audit.event import body
from llmmon.config import Config
from llmmon.model import Scorable, Score, Window
from llmmon.pipeline.fix_anchors import scorer_of
from llmmon.pipeline.score_responses import DATA_ERRORS, provenance_of
from llmmon.scorers.base import Scorer
from llmmon.store import audit
from llmmon.store.database import Database
from llmmon.store.provenance import remember
from llmmon.store.review import anchors_of, keep_anchor_scores

log = logging.getLogger(__name__)


def rescore_anchors(database: Database, config: Config, deployment: str, window: Window) -> dict[str, int]:
    """Judge the anchors of every scorer of `deployment`, for `window`, and return how many of each were judged.

    An anchor whose texts were erased is passed over; the others go on. Judged again, the later word stands.
    """
    counts: dict[str, int] = {}
    for scorer in config.deployments[deployment].scorers:
        with database.transaction() as connection:
            anchors = [
                (number, item) for number, item in anchors_of(connection, deployment, scorer) if item is not None
            ]
        if not anchors:
            continue
        judge = scorer_of(config, deployment, scorer)
        scores = [(number, _judged(judge, scorer, item)) for number, item in anchors]
        with database.transaction() as connection:
            provenance_id = remember(connection, provenance_of(judge, config))
            rows = [
                {
                    "review_item_id": number,
                    "window_start": window.start,
                    "value": score.value,
                    "reason": score.reason,
                    "provenance_id": provenance_id,
                }
                for number, score in scores
            ]
            n_changed = keep_anchor_scores(connection, rows)
            fact = {"n_anchors": len(rows), "n_changed": n_changed}
            subject = f"deployment {deployment} scorer {scorer} window {window.key}"
            audit.append(connection, body("anchors.judged", subject, fact, config_digest=config.digest))
        counts[scorer] = len(rows)
        log.info("%s %s %s: %d anchors judged again", deployment, scorer, window.key, len(rows))
    return counts


def _judged(judge: Scorer, name: str, item: Scorable) -> Score:
    try:
        return judge.score(item)
    except DATA_ERRORS as error:  # as in the score stage
        log.warning("%s: an anchor: %s", name, type(error).__name__)
        return Score(reason=f"the scorer failed: {type(error).__name__}")
