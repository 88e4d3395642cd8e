"""Call the failure callback as Airflow does when a task has used up its retries."""

from types import SimpleNamespace

from llmmon_airflow.failures import notify_failure

task = SimpleNamespace(dag_id="replay", task_id="run", run_id="manual", try_number=5, map_index=-1)
secret = "said by a customer: <secret>"
notify_failure(
    {"ti": task, "dag_run": SimpleNamespace(partition_key="2023-06-27T05:00:00"), "exception": ValueError(secret)}
)
print("{}")
