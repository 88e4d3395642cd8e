"""Ingest request logs.

Reads what is new in every source, accounts for each row, and closes the ingest account of the hour (the window) that
has just ended. A batch that fails its gate is held, and the channels are told. The run's partition key is the start of
the window; the DAGs after this one follow by that key.

Backfill a range to do old windows; clear a run to do its window again. Nothing is counted twice.
"""

from airflow.sdk import DAG, CronPartitionTimetable, task

from llmmon_airflow import steps
from llmmon_airflow.defaults import LOGGED, START, TAGS, WINDOW_PARAM, default_args
from llmmon_airflow.settings import configuration
from llmmon_airflow.windows import cron_of

config = configuration()

with DAG(
    dag_id="ingest",
    schedule=CronPartitionTimetable(cron_of(config), timezone="UTC", run_offset=-1),
    start_date=START,
    catchup=False,
    max_active_runs=4,
    default_args=default_args(),
    params=WINDOW_PARAM,
    tags=TAGS,
    doc_md=__doc__,
):
    # one loader of a source at a time: a second one would only find that nothing is new
    @task(map_index_template="{{ source }}", max_active_tis_per_dag=len(config.sources))
    def load(source: str) -> dict[str, object]:
        """Load one source: every row becomes new, duplicate, quarantined or held."""
        return steps.load_source(source)

    @task(outlets=[LOGGED])
    def close() -> dict[str, object]:
        """Count the window's requests and close its account."""
        return steps.close_ingest()

    load.expand(source=sorted(config.sources)) >> close()
