"""Replay a sample.

Draws the window's sample (the same window always draws the same requests), runs it on every lane in the pool and
queue `gpu`, and closes the account: done, sampled out with its probability, or failed with a reason.

A lane that cannot run fails its task after retries; what it could not replay stays in the account as failed.
"""

from datetime import timedelta

from airflow.sdk import DAG, PartitionedAssetTimetable, TriggerRule, task

from llmmon_airflow import steps
from llmmon_airflow.defaults import LOGGED, REPLAYED, START, TAGS, WINDOW_PARAM, default_args
from llmmon_airflow.settings import configuration, on_gpu

lanes = sorted({lane for deployment in configuration().deployments.values() for lane in deployment.lanes})

with DAG(
    dag_id="replay",
    schedule=PartitionedAssetTimetable(assets=LOGGED),
    start_date=START,
    catchup=False,
    max_active_runs=4,
    default_args=default_args(),
    params=WINDOW_PARAM,
    tags=TAGS,
    doc_md=__doc__,
):

    @task
    def draw() -> dict[str, object]:
        """Draw the sample."""
        return steps.draw_samples()

    @task(
        **on_gpu(),
        map_index_template="{{ lane }}",
        execution_timeout=timedelta(hours=2),
    )
    def run(lane: str) -> dict[str, object]:
        """Replay on one lane."""
        return steps.replay_lane(lane)

    @task(outlets=[REPLAYED], trigger_rule=TriggerRule.ALL_DONE)
    def close() -> dict[str, object]:
        """Close the account, lanes that failed included."""
        return steps.close_replay()

    draw() >> run.expand(lane=lanes) >> close()
