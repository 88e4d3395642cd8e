"""Roll days up.

Merges the latency sketches of every day that is over and prints how much of it was measured ("22 of 24 windows"). A day
whose windows were measured again since is rolled up again. It reads what was written and waits for nothing.
"""

from airflow.sdk import DAG, CronTriggerTimetable, task

from llmmon_airflow import steps
from llmmon_airflow.defaults import TAGS, default_args

with DAG(
    dag_id="roll_up",
    # without a start date the first run waits for the next tick instead of making up for the last one
    schedule=CronTriggerTimetable("50 * * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=default_args(),
    tags=TAGS,
    doc_md=__doc__,
):

    @task
    def days() -> dict[str, object]:
        """Roll up what is new or was measured again."""
        return steps.roll_up()

    days()
