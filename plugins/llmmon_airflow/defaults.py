"""What every DAG of llmmon has in common."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from airflow.sdk import Asset, ExceptionRetryPolicy, Param, RetryAction, RetryRule

from llmmon_airflow.failures import notify_failure

TAGS: Final = ["llmmon"]
START: Final = datetime(2023, 1, 1)  # noqa: DTZ001  Airflow reads it in the timetable's zone

LOGGED: Final = Asset(name="llmmon.request_log", uri="llmmon://request_log", group="llmmon")
REPLAYED: Final = Asset(name="llmmon.response", uri="llmmon://response", group="llmmon")
MEASURED: Final = Asset(name="llmmon.measurement", uri="llmmon://measurement", group="llmmon")

WINDOW_PARAM: Final = {
    "window": Param(
        None,
        type=["string", "null"],
        title="Window",
        description="Start of the window in UTC, for a run without a partition key: 2026-05-04T09:00:00",
    )
}

# names, not classes: a class would be imported whenever a DAG file is parsed
RETRY: Final = ExceptionRetryPolicy(
    rules=[
        RetryRule(exception="llmmon.errors.ConfigError", action=RetryAction.FAIL),
        RetryRule(exception="llmmon.errors.PluginError", action=RetryAction.FAIL),
        RetryRule(exception="llmmon.errors.GateError", action=RetryAction.FAIL),  # a person has to decide
        RetryRule(exception="llmmon.errors.SchemaVersionError", action=RetryAction.FAIL),
        RetryRule(
            exception="llmmon.errors.StoreUnavailableError",
            action=RetryAction.RETRY,
            retry_delay=timedelta(seconds=15),
        ),
    ]
)


def default_args() -> dict[str, Any]:
    """Return the arguments that tasks get unless they say otherwise."""
    return {
        "owner": "llmmon",
        "retries": 4,
        "retry_delay": timedelta(seconds=20),
        "retry_policy": RETRY,
        "execution_timeout": timedelta(minutes=30),
        "on_failure_callback": notify_failure,
    }
