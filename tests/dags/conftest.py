"""Airflow in processes of its own, so that its settings and its metadata reach no other test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PRIVACY_KEY

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]


@pytest.fixture(scope="session")
def airflow_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of an Airflow with its own SQLite metadata."""
    home = tmp_path_factory.mktemp("airflow")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "LLMMON"))}
    return {
        **kept,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(CHECKOUT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(CHECKOUT / "plugins"),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__API_AUTH__JWT_SECRET": "only-for-these-tests-" * 4,
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "LLMMON_PRIVACY_KEY": PRIVACY_KEY,
        "PYTHONPATH": f"{CHECKOUT / 'plugins'}{os.pathsep}{CHECKOUT}",
    }


@pytest.fixture(scope="session")
def airflow(airflow_environment: dict[str, str]) -> Callable[..., Any]:
    """Return a function that runs a script of this folder under Airflow and returns the JSON it prints last."""

    def run(script: str, *arguments: str, **environment: str) -> Any:
        ran = subprocess.run(
            [sys.executable, HERE / script, *arguments],
            env={**airflow_environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, (ran.stdout + ran.stderr)[-6000:]
        return json.loads(ran.stdout.strip().splitlines()[-1])

    return run
