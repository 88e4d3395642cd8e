"""What holds for every DAG file."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FILES = sorted((Path(__file__).parents[2] / "dags").glob("*.py"))
DAGS = {
    *("ingest", "replay", "sentinel", "measure", "alert"),
    *("maintain", "report", "roll_up", "certify", "review", "stereotypes"),
}


@pytest.fixture(scope="session")
def facts(airflow: Callable[..., Any]) -> dict[str, Any]:
    """Return what parsing the DAG files gives."""
    return airflow("parse_dags.py")


@pytest.fixture(scope="session")
def tasks(facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return every task by ``dag.task``."""
    return {f"{dag}.{name}": task for dag, known in facts["dags"].items() for name, task in known["tasks"].items()}


def test_every_dag_file_loads(facts: dict[str, Any]) -> None:
    """The folder gives exactly the documented DAGs, and no file fails to import."""
    assert facts["import_errors"] == {}
    assert set(facts["dags"]) == DAGS


def test_parsing_imports_nothing_heavy(facts: dict[str, Any]) -> None:
    """Parsing loads no model, data-frame or statistics library, and does not open the store."""
    assert facts["heavy"] == []
    assert facts["store"] == []


def test_every_dag_is_documented_and_bounded(facts: dict[str, Any]) -> None:
    """Each DAG has a page of documentation, its tag, no catch-up, and a bound on runs at once."""
    for name, dag in facts["dags"].items():
        assert len(dag["doc"].strip().splitlines()) >= 3, name
        assert dag["tags"] == ["llmmon"], name
        assert dag["catchup"] is False, name
        assert dag["max_active_runs"] <= 4, name


def test_every_dag_survives_serialisation(facts: dict[str, Any]) -> None:
    """What the scheduler reads back has the tasks that the file defines."""
    assert [name for name, dag in facts["dags"].items() if not dag["survives"]] == []


def test_every_task_is_retried_bounded_and_reported(tasks: dict[str, dict[str, Any]]) -> None:
    """Each task is tried again by our policy, has a time limit and a sentence, and tells the channels when it fails."""
    for name, task in tasks.items():
        assert task["retries"] >= 2, name
        assert task["policy"] == "ExceptionRetryPolicy", name
        assert 0 < task["timeout"] <= 2 * 3600, name
        assert task["callback"], name
        assert task["doc"].strip(), name


def test_what_runs_models_names_the_gpu(tasks: dict[str, dict[str, Any]]) -> None:
    """The tasks that run models, and they alone, stand in the pool and queue ``gpu``."""
    assert {name for name, task in tasks.items() if (task["pool"], task["queue"]) == ("gpu", "gpu")} == {
        "replay.run",
        "sentinel.probe",
        "stereotypes.probe",
    }


def test_outlets_stand_on_the_task_that_collects(tasks: dict[str, dict[str, Any]]) -> None:
    """No mapped task has an outlet, which would emit one event for each of its instances."""
    assert [name for name, task in tasks.items() if task["mapped"] and task["outlets"]] == []
    assert {name for name, task in tasks.items() if task["outlets"]} == {
        "ingest.close",
        "replay.close",
        "measure.measure",
        "maintain.reconcile",
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_dag_files_are_thin(path: Path) -> None:
    """A DAG file has at most 90 lines, says catch-up itself, and imports only Airflow's SDK and llmmon_airflow."""
    text = path.read_text("utf-8")
    imported = {node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
    assert len(text.splitlines()) <= 90
    assert "catchup=" in text
    assert imported <= {"datetime", "airflow.sdk", "llmmon_airflow"} | {
        name for name in imported if name and name.startswith("llmmon_airflow.")
    }
