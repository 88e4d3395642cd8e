"""Parse the DAG files as the DAG processor does and print what they are, as JSON."""

from __future__ import annotations

import json
import os
import sys

from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

HEAVY = ("torch", "transformers", "evidently", "great_expectations", "pandas", "sklearn", "scipy", "presidio_analyzer")

before = set(sys.modules)
bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
facts = {
    "import_errors": bag.import_errors,
    "heavy": [name for name in HEAVY if name in sys.modules],
    "store": [name for name in set(sys.modules) - before if name.startswith("llmmon.store")],
    "seconds": {stat.file: stat.duration.total_seconds() for stat in bag.dagbag_stats},
    "dags": {
        dag.dag_id: {
            "tags": sorted(dag.tags),
            "doc": dag.doc_md,
            "catchup": dag.catchup,
            "max_active_runs": dag.max_active_runs,
            "timetable": type(dag.timetable).__name__,
            "survives": DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag)).task_ids
            == list(dag.task_dict),
            "tasks": {
                task.task_id: {
                    "retries": task.retries,
                    "policy": type(task.retry_policy).__name__,
                    "timeout": task.execution_timeout.total_seconds(),
                    "pool": task.pool,
                    "queue": task.queue,
                    "callback": bool(task.on_failure_callback),
                    "doc": task.doc_md or task.python_callable.__doc__,
                    "outlets": [asset.name for asset in task.outlets],
                    "mapped": task.is_mapped,
                }
                for task in dag.tasks
            },
        }
        for dag in bag.dags.values()
    },
}
print(json.dumps(facts, default=str))
