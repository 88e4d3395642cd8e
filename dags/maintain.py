"""Keep house.

Emits again the keys of windows that a stage has not finished (a paused DAG, a missed event, downtime, rows that came
late), catches up with detection, drains the outbox, makes day partitions ahead, and retires what is past its retention.
"""

from airflow.sdk import DAG, CronTriggerTimetable, task

from llmmon_airflow import steps
from llmmon_airflow.defaults import LOGGED, TAGS, default_args

with DAG(
    dag_id="maintain",
    # without a start date the first run waits for the next tick instead of making up for the last one
    schedule=CronTriggerTimetable("20 * * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=default_args(),
    tags=TAGS,
    doc_md=__doc__,
):

    @task(outlets=[LOGGED])
    def reconcile(*, outlet_events: object = None) -> list[str]:
        """Emit the keys of unfinished windows, or skip."""
        keys = steps.unfinished_windows()
        outlet_events[LOGGED].add_partitions(keys)
        return keys

    @task
    def keep_house() -> dict[str, object]:
        """Partitions ahead, retention, expiry."""
        return steps.maintain()

    @task
    def detect() -> dict[str, object]:
        """Find changes in windows whose alert run was missed."""
        return steps.detect()

    @task
    def deliver() -> dict[str, object]:
        """Send what waits in the outbox."""
        return steps.deliver()

    keep_house() >> [reconcile(), detect() >> deliver()]
