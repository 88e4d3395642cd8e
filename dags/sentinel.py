"""Ask endpoints who they are.

Sends the sentinel's few fixed prompts for the window to each deployment's endpoint and to its pinned reference, in the
pool and queue `gpu`, and stores the answers with what they cost. Metrics compare them with those of the reference
windows: a swapped, quantised or newly instructed model answers otherwise.

A lane that cannot run fails its task after retries; its probes stay stored as failed, with the reason. Without a
`[deployments.NAME.sentinel]` in the configuration nothing is scheduled.
"""

from datetime import timedelta

from airflow.sdk import DAG, PartitionedAssetTimetable, task

from llmmon_airflow import steps
from llmmon_airflow.defaults import LOGGED, START, TAGS, WINDOW_PARAM, default_args
from llmmon_airflow.settings import configuration, on_gpu

sentinels = [item.sentinel for item in configuration().deployments.values() if item.sentinel is not None]
lanes = ["endpoint", *(["reference"] if any(sentinel.reference for sentinel in sentinels) else [])]

with DAG(
    dag_id="sentinel",
    schedule=PartitionedAssetTimetable(assets=LOGGED) if sentinels else None,
    start_date=START,
    catchup=False,
    max_active_runs=4,
    default_args=default_args(),
    params=WINDOW_PARAM,
    tags=TAGS,
    doc_md=__doc__,
):

    @task(
        **on_gpu(),
        map_index_template="{{ lane }}",
        execution_timeout=timedelta(minutes=30),
        priority_weight=5,
    )
    def probe(lane: str) -> dict[str, object]:
        """Ask on one lane."""
        return steps.probe_lane(lane)

    probe.expand(lane=lanes)
