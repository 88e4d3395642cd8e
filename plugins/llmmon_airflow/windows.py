"""Windows and Airflow's partition keys."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from llmmon.config import Config
from llmmon.errors import ConfigError
from llmmon.model import Window


def cron_of(config: Config) -> str:
    """Return the cron expression whose ticks are the boundaries of windows.

    Raises
    ------
    ConfigError
        When the windows would not begin at the same times each day, which a partition key needs.
    """
    minutes = config.window_hours * 60
    if minutes == 24 * 60:
        return "0 0 * * *"
    if minutes % 60 == 0 and 24 % (minutes / 60) == 0:
        return "0 * * * *" if minutes == 60 else f"0 */{minutes / 60:.0f} * * *"
    if minutes == int(minutes) and 60 % minutes == 0:
        return f"*/{minutes:.0f} * * * *"
    raise ConfigError(
        f"window_hours: {config.window_hours:g} divides neither an hour nor a day, so windows would begin at "
        "other times every day; choose one of 0.25, 0.5, 1, 2, 3, 4, 6, 8, 12, 24"
    )


def resolve_window(context: Mapping[str, Any], config: Config) -> Window:
    """Return the window that a task works on: of the partition key, else of ``window``, else of the data interval.

    Raises
    ------
    ConfigError
        When the run has none of the three.
    """
    run = context["dag_run"]
    if run.partition_key:
        return Window.parse(run.partition_key, hours=config.window_hours)
    asked = context.get("params", {}).get("window")
    if asked:
        return Window.parse(asked, hours=config.window_hours)
    if run.data_interval_start is not None and run.data_interval_start < run.data_interval_end:
        return Window(start=run.data_interval_start, end=run.data_interval_start + timedelta(hours=config.window_hours))
    raise ConfigError(
        f"run {run.run_id} of {run.dag_id} has no window: trigger it with a partition key, such as "
        "2026-05-04T09:00:00, or with the parameter `window`"
    )
