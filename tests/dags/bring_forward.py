"""Bring llmmon's schema forward as ``airflow db migrate`` does, and print what it says, as JSON."""

from __future__ import annotations

import json

from airflow.utils.session import create_session

from llmmon.errors import StoreError
from llmmon_airflow.db_manager import LlmmonDBManager

with create_session() as session:
    try:
        LlmmonDBManager(session).upgradedb()
        told = ""
    except StoreError as error:
        told = str(error)
print("\n" + json.dumps(told))
