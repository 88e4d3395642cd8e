"""An alert says that the judge changed when its anchors moved, and does not when they stayed."""

from __future__ import annotations

import pytest

from llmmon.pipeline.detect import detect
from tests.integration.alarms.measured import CALM, measure_windows, small_config, window


@pytest.mark.parametrize(("moved", "told"), [(0.2, True), (0.0, False)])
def test_an_alert_tells_a_changed_judge_from_a_changed_model(database, tmp_path, moved, told):
    """Ten anchors of the scorer that the monitor reads; another scorer's do not count."""
    measure_windows(database, [*CALM, 0.018, 0.8])
    with database.transaction() as connection:
        for scorer, by in (("refusal", moved), ("other", 0.5)):
            connection.exec_driver_sql(
                "INSERT INTO llmmon.review_item (purpose, deployment, scorer, score, name, content)"
                " SELECT 'anchor', 'survey', %(scorer)s, 0.01 * n, 'a' || n, '{}' FROM generate_series(1, 10) AS n",
                {"scorer": scorer},
            )
            connection.exec_driver_sql(
                "INSERT INTO llmmon.anchor_score (review_item_id, window_start, value, provenance_id)"
                " SELECT review_item_id, %(start)s, score + %(by)s + CASE WHEN %(by)s > 0 THEN score / 10 ELSE 0 END,"
                " (SELECT min(provenance_id) FROM llmmon.provenance)"
                " FROM llmmon.review_item WHERE scorer = %(scorer)s",
                {"scorer": scorer, "start": window(6).start, "by": by},
            )
    detect(database, small_config(tmp_path), "survey")
    with database.transaction() as connection:
        (sentence,) = connection.exec_driver_sql("SELECT sentence FROM llmmon.alert").scalars().all()
    assert ("The judge changed, too: what refusal says of its 10 anchors moved by +0.2" in sentence) == told
    assert "refusal rate rose" in sentence
