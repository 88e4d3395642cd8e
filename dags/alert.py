"""Detect changes and alert.

Turns the streams into evidence as far as windows are finished without a gap, decides within each deployment's error
budget, opens alerts, and drains the outbox to Slack and e-mail. Each attempt is recorded.
"""

from airflow.sdk import DAG, PartitionedAssetTimetable, task

from llmmon_airflow import steps
from llmmon_airflow.defaults import MEASURED, START, TAGS, default_args

with DAG(
    dag_id="alert",
    schedule=PartitionedAssetTimetable(assets=MEASURED),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    default_args=default_args(),
    tags=TAGS,
    doc_md=__doc__,
):

    @task(priority_weight=10)
    def detect() -> dict[str, object]:
        """Find changes within the error budget."""
        return steps.detect()

    @task(priority_weight=10)
    def deliver() -> dict[str, object]:
        """Send what waits in the outbox."""
        return steps.deliver()

    @task(priority_weight=5)
    def explain() -> dict[str, object]:
        """Say what open alerts come from; who is told does not wait for it."""
        return steps.explain()

    detect() >> deliver() >> explain()
