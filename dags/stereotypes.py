"""Probe the replay models for stereotypes.

Once a week, asks the pinned replay model of each deployment that has a `[deployments.NAME.stereotypes]` the sets named
there (BBQ, CrowS-Pairs, WinoBias), and writes down what it prefers, with intervals: `compliance.stereotype_probes`.
Their data are not shipped; `data` in the configuration says where they lie. Without such a deployment nothing is
scheduled.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, task

from llmmon_airflow import steps
from llmmon_airflow.defaults import TAGS, default_args
from llmmon_airflow.settings import configuration, on_gpu

probed = sorted(name for name, item in configuration().deployments.items() if item.stereotypes is not None)

with DAG(
    dag_id="stereotypes",
    # without a start date the first run waits for the next tick instead of making up for the last one
    schedule=CronTriggerTimetable("20 2 * * 0", timezone="UTC") if probed else None,
    catchup=False,
    max_active_runs=1,
    default_args=default_args(),
    tags=TAGS,
    doc_md=__doc__,
):
    # one at a time: windows that wait come first
    @task(
        **on_gpu(),
        map_index_template="{{ deployment }}",
        execution_timeout=timedelta(hours=2),
        max_active_tis_per_dag=1,
    )
    def probe(deployment: str) -> dict[str, object]:
        """Ask, reduce, write down."""
        return steps.probe_stereotypes(deployment)

    probe.expand(deployment=probed)
