"""Run DAGs in this process, each with the window it is given, and print how their tasks ended, as JSON.

Arguments: ``DAG`` or ``DAG=WINDOW``, run in order.
"""

from __future__ import annotations

import json
import os
import sys

from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models.asset import AssetEvent
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from sqlalchemy import select

initdb()
with create_session() as session:
    from airflow.models.dagbundle import DagBundleModel

    session.merge(DagBundleModel(name="dags-folder"))
bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"], bundle_name="dags-folder")
sync_bag_to_db(bag, "dags-folder", None)
ended = {}
for argument in sys.argv[1:]:
    name, _, window = argument.partition("=")
    run = bag.dags[name].test(logical_date=None, run_conf={"window": window} if window else None)
    ended[argument] = {"run": run.state, **{ti.task_id: ti.state for ti in run.get_task_instances()}}
with create_session() as session:
    keys = sorted(session.scalars(select(AssetEvent.partition_key).where(AssetEvent.partition_key.is_not(None))))
print("\n" + json.dumps({"ended": ended, "keys": keys}, default=str))
