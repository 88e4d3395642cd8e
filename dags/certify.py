"""State the detection power.

Once a week, plants faults of known size (slower answers, errors, refusals, made-up or wrong answers, other traffic) in
a copy in memory of each deployment's stored windows, and writes down which monitors notice them, and how soon. Read it
on the page of a deployment, or in the view compliance.detection_power. Nothing else is written.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, task

from llmmon_airflow import steps
from llmmon_airflow.defaults import TAGS, default_args
from llmmon_airflow.settings import configuration

config = configuration()

with DAG(
    dag_id="certify",
    # without a start date the first run waits for the next tick instead of making up for the last one
    schedule=CronTriggerTimetable("50 3 * * 0", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=default_args(),
    tags=TAGS,
    doc_md=__doc__,
):
    # one at a time: windows that wait come first
    @task(map_index_template="{{ deployment }}", execution_timeout=timedelta(hours=2), max_active_tis_per_dag=1)
    def certify(deployment: str) -> dict[str, object]:
        """Plant, measure, judge, write down."""
        return steps.certify(deployment)

    certify.expand(deployment=sorted(config.deployments))
