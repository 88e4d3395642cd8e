"""Render Evidently reports.

Renders the Evidently report of every measured window that has none, in one process: importing Evidently takes longer
than a report. Read them on the page of a deployment.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, task

from llmmon_airflow import steps
from llmmon_airflow.defaults import TAGS, default_args

with DAG(
    dag_id="report",
    # without a start date the first run waits for the next tick instead of making up for the last one
    schedule=CronTriggerTimetable("40 * * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=default_args(),
    tags=TAGS,
    doc_md=__doc__,
):

    @task(execution_timeout=timedelta(hours=1))
    def render() -> dict[str, object]:
        """Render what is missing."""
        return steps.render_reports()

    render()
