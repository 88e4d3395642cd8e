"""Let each scorer judge its anchors again: the same texts tell a changed judge from a changed model."""

from __future__ import annotations

import logging

from llmmon.audit.event import body
from llmmon.config import Config
from llmmon.endpoint.credentials import Resolve, resolving
from llmmon.model import Window
from llmmon.pipeline.fix_anchors import judge_named
from llmmon.pipeline.judging import scores_of
from llmmon.pipeline.score_responses import provenance_of
from llmmon.store import audit
from llmmon.store.database import Database
from llmmon.store.provenance import remember
from llmmon.store.review import anchors_of, keep_anchor_scores

log = logging.getLogger(__name__)


def rescore_anchors(
    database: Database, config: Config, deployment: str, window: Window, *, resolve: Resolve | None = None
) -> dict[str, int]:
    """Judge the anchors of every scorer of `deployment`, for `window`, and return how many of each were judged.

    An anchor whose texts were erased is passed over; the others go on. Judged again, the later word stands. `resolve`
    gives the key of a scorer's connection by its name; None reads ``AIRFLOW_CONN_<NAME>``.
    """
    counts: dict[str, int] = {}
    for scorer in config.deployments[deployment].scorers:
        with database.transaction() as connection:
            anchors = [
                (number, item) for number, item in anchors_of(connection, deployment, scorer) if item is not None
            ]
        if not anchors:
            continue
        judge = judge_named(config, deployment, scorer, database.transaction)
        with resolving(resolve):
            scores = scores_of(judge, [item for _, item in anchors])
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
                for (number, _), score in zip(anchors, scores, strict=True)
            ]
            n_changed = keep_anchor_scores(connection, rows)
            fact = {"n_anchors": len(rows), "n_changed": n_changed}
            subject = f"deployment {deployment} scorer {scorer} window {window.key}"
            audit.append(connection, body("anchors.judged", subject, fact, config_digest=config.digest))
        counts[scorer] = len(rows)
        log.info("%s %s %s: %d anchors judged again", deployment, scorer, window.key, len(rows))
    return counts
