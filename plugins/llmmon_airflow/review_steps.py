"""What the tasks of the DAG `review` do: judges judge their anchors again, and people are asked."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from llmmon.model import Window
from llmmon_airflow.settings import acting_database, configuration, key_of

log = logging.getLogger(__name__)

Counts = dict[str, Any]

_ASK_AT_ONCE: Final = 50
"""Questions that people are asked in one run; the newest first, the others wait on the page."""


def rescore_anchors() -> Counts:
    """Let each scorer judge its anchors again, for the day that is over."""
    from llmmon.pipeline.rescore_anchors import rescore_anchors as judge_again

    config = configuration()
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    day = Window(start=today - timedelta(days=1), end=today)
    return {name: judge_again(acting_database(), config, name, day, resolve=key_of) for name in config.deployments}


def draw_review() -> list[Counts]:
    """Draw from days that are over, and return the question of each open item, newest first; no text is in it."""
    from llmmon.pipeline.draw_review import draw_days
    from llmmon.store.review import list_items

    config, store = configuration(), acting_database()
    log.info("drawn: %s", draw_days(store, config))
    with store.transaction() as connection:
        rows = [
            (row, config.deployments[name].review[row.scorer])
            for name, deployment in config.deployments.items()
            for row in list_items(connection, deployment=name, n_rows=_ASK_AT_ONCE)
            if row.scorer in deployment.review
        ]
    return [
        {
            "item": row.review_item_id,
            "subject": f"Item {row.review_item_id}, {row.scorer} of {row.deployment}: {asked.question}",
            "body": f"Yes: {asked.yes}. No: {asked.no}. Read it on the llmmon page under Review"
            + (f": {config.ui_url}/review/{row.review_item_id}" if config.ui_url else f", item {row.review_item_id}."),
        }
        for row, asked in rows[:_ASK_AT_ONCE]
    ]


def keep_answer(item: int, answer: str, user: dict[str, Any] | None) -> None:
    """Keep what a person answered as a review; "not labelled", which is also what silence gives, keeps nothing."""
    from llmmon.pipeline.keep_reviews import CANNOT_TELL, keep_reviews
    from llmmon.store.review import Review

    label = {"yes": 1, "no": 0}.get(answer)
    if user is None or (label is None and answer != CANNOT_TELL):
        log.info("item %d stays open", item)
        return
    name = str(user.get("name") or user.get("id"))
    said = Review(review_item_id=item, reviewer=name, label=label, reason=CANNOT_TELL if label is None else None)
    keep_reviews(acting_database(), [said], config_digest=configuration().digest, by=name)
