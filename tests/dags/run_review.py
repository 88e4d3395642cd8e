"""Run the review DAG as far as its questions, answer one, let one time out, and print what became of it, as JSON."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from types import SimpleNamespace

from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.sdk.execution_time.context import set_current_context
from airflow.utils.db import initdb
from airflow.utils.session import create_session

initdb()
with create_session() as session:
    from airflow.models.dagbundle import DagBundleModel

    session.merge(DagBundleModel(name="dags-folder"))
bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"], bundle_name="dags-folder")
sync_bag_to_db(bag, "dags-folder", None)
run = bag.dags["review"].test(logical_date=None, mark_success_pattern="ask")
states = {f"{ti.task_id} {ti.map_index}": ti.state for ti in run.get_task_instances()}

from llmmon_airflow import review_steps  # noqa: E402
from llmmon_airflow.review import NOT_LABELLED, AskReviewer  # noqa: E402

task = SimpleNamespace(dag_id="review", task_id="ask", run_id="r")
with set_current_context({"ti": task}):  # type: ignore[typeddict-item]
    questions = review_steps.draw_review()
    for question, answer, user in zip(
        questions, ("yes", NOT_LABELLED, "no"), ({"id": "1", "name": "mira"}, None, None), strict=False
    ):
        asked = AskReviewer(task_id=f"ask_{question['item']}", **question)
        event = {
            "chosen_options": [answer],
            "params_input": {},
            "responded_at": datetime.now(UTC),
            "responded_by_user": user,
        }
        asked.execute_complete({}, event)
print("\n" + json.dumps({"run": run.state, "states": states, "questions": questions}, default=str))
