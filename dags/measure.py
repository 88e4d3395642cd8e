"""Score and measure.

Judges every response of the window, logged and replayed, and reduces the window to measurements: a value, n and a 95%
interval for each monitor and segment, or no value and the reason.
"""

from airflow.sdk import DAG, PartitionedAssetTimetable, task

from llmmon_airflow import steps
from llmmon_airflow.defaults import MEASURED, REPLAYED, START, TAGS, WINDOW_PARAM, default_args

with DAG(
    dag_id="measure",
    schedule=PartitionedAssetTimetable(assets=REPLAYED),
    start_date=START,
    catchup=False,
    max_active_runs=4,
    default_args=default_args(),
    params=WINDOW_PARAM,
    tags=TAGS,
    doc_md=__doc__,
):
    # what is further on goes first: an alert early rather than many windows half-way
    @task(priority_weight=5)
    def score() -> dict[str, object]:
        """Judge responses one at a time."""
        return steps.score()

    @task(outlets=[MEASURED], priority_weight=5)
    def measure() -> dict[str, object]:
        """Reduce the window."""
        return steps.measure()

    score() >> measure()
