"""What the tasks do: one pipeline function over the deployments that are active in the run's window."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowSkipException

from llmmon.config import Config
from llmmon.errors import GateError, ReplayError
from llmmon.model import Stage, Window
from llmmon_airflow.settings import acting_database, configuration, key_of, resolve_connection
from llmmon_airflow.windows import resolve_window

if TYPE_CHECKING:
    from llmmon.store.database import Database

log = logging.getLogger(__name__)

Counts = dict[str, Any]

_WINDOW_STAGES: Final[tuple[Stage, ...]] = ("ingest", "sample", "replay", "score", "measure")


_AT_WORK: Final = timedelta(minutes=15)
"""A window that a stage finished this recently is taken to be on its way through the others."""


def load_source(source: str) -> Counts:
    """Read what is new in one source; a batch that is held is told at once, also when reading stops because of it."""
    from llmmon.pipeline.ingest import ingest_source

    try:
        counts = dataclasses.asdict(ingest_source(acting_database(), configuration(), source))
    except GateError:
        deliver()
        raise
    if counts["n_held"]:
        deliver()
    return counts


def close_ingest() -> Counts:
    """Close the ingest account of the window; a window in which nothing is active is skipped and goes no further."""
    from llmmon.pipeline.ingest import finish_ingest

    counts = _each(finish_ingest)
    if not counts:
        raise AirflowSkipException("no deployment is active in this window")
    return counts


def draw_samples() -> Counts:
    """Draw the samples of the window."""
    from llmmon.pipeline.draw_sample import draw_sample

    return _each(draw_sample)


def replay_lane(lane: str) -> Counts:
    """Replay the samples of the window on one lane, for every deployment that has it."""
    from llmmon.pipeline.run_replay import run_replay

    deployments = [name for name, item in configuration().deployments.items() if lane in item.lanes]
    return _each_on_lane(run_replay, lane, deployments)


def close_replay() -> Counts:
    """Close the replay account of the window, lanes that failed included."""
    from llmmon.pipeline.run_replay import finish_replay

    return _each(finish_replay)


def probe_lane(lane: str) -> Counts:
    """Send the window's probes on one lane, ``endpoint`` or ``reference``, for every deployment with a sentinel."""
    from llmmon.pipeline.probe_endpoint import probe_endpoint

    deployments = [name for name, item in configuration().deployments.items() if item.sentinel is not None]
    return _each_on_lane(probe_endpoint, lane, deployments)


def score() -> Counts:
    """Judge the responses of the window."""
    from llmmon.pipeline.score_responses import score_responses

    def step(database: Database, config: Config, deployment: str, window: Window) -> Any:
        return score_responses(database, config, deployment, window, resolve=key_of)

    return _each(step)


def measure() -> Counts:
    """Reduce the window to measurements."""
    from llmmon.pipeline.measure import measure as measure_window

    return _each(measure_window)


def detect() -> Counts:
    """Turn the streams into evidence and open alerts, as far as windows are finished without a gap."""
    from llmmon.pipeline.detect import detect as detect_changes

    config = configuration()
    return {name: _plain(detect_changes(acting_database(), config, name)) for name in config.deployments}


def explain() -> Counts:
    """Explain alerts that have no explanation, or one that more windows may complete."""
    from llmmon.pipeline.explain import explain_waiting

    config = configuration()
    return {name: explain_waiting(acting_database(), config, name) for name in config.deployments}


def deliver() -> Counts:
    """Drain the outbox."""
    from llmmon.pipeline.deliver import deliver as drain

    return dataclasses.asdict(drain(acting_database(), configuration(), resolve_connection))


def render_reports() -> Counts:
    """Render the Evidently report of every measured window that has none; one process, one slow import."""
    from llmmon.pipeline.render_report import render_report
    from llmmon.store.report import windows_without_report

    config, store = configuration(), acting_database()
    counts = {}
    for name in config.deployments:
        with store.transaction() as connection:
            windows = windows_without_report(connection, name)
        for done, window in enumerate(windows, start=1):
            render_report(store, config, name, window)
            log.info("%s: report %d of %d, window %s", name, done, len(windows), window.key)
        counts[name] = len(windows)
    return counts


def certify(deployment: str) -> Counts:
    """State which faults of which size the monitors of one deployment would notice."""
    from llmmon.pipeline.certify import certify as certify_monitors

    found = certify_monitors(acting_database(), configuration(), deployment)
    return {
        "n_windows": len(found.windows),
        "n_missing_windows": found.n_missing_windows,
        "n_results": len(found.results),
    }


def probe_stereotypes(deployment: str) -> Counts:
    """Probe the replay model of one deployment for stereotypes."""
    from llmmon.pipeline.probe_stereotypes import probe_deployment

    found = probe_deployment(acting_database(), configuration(), deployment)
    return {"n_probes": len(found), "n_figures": sum(len(probed.figures) for probed in found)}


def maintain() -> Counts:
    """Make day partitions ahead, retire what is past its retention, expire windows that nobody will finish."""
    from llmmon.pipeline.maintain import maintain as keep_house

    return _plain(keep_house(acting_database(), configuration()))


def roll_up() -> Counts:
    """Merge the latency sketches of days that are over, and print how much of each was measured."""
    from llmmon.pipeline.roll_up import roll_up as roll_up_days

    return _plain(roll_up_days(acting_database(), configuration()))


def unfinished_windows() -> list[str]:
    """Close the ingest accounts that are open, and return the keys of windows with an unfinished stage, oldest first.

    Raises
    ------
    AirflowSkipException
        When every window is finished; a skipped task emits no key.
    """
    from llmmon.pipeline.ingest import finish_ingest
    from llmmon.store import coverage

    config, store = configuration(), acting_database()
    idle_since = datetime.now(UTC) - _AT_WORK
    found = set()
    for name, deployment in config.deployments.items():
        for stage in _WINDOW_STAGES:
            with store.transaction() as connection:
                windows = coverage.unfinished_windows(
                    connection, name, stage, length=config.window_length, idle_since=idle_since
                )
            for window in filter(deployment.is_active, windows):
                if stage == "ingest":
                    finish_ingest(store, config, name, window)
                found.add(window.key)
    if not found:
        raise AirflowSkipException("every window is finished")
    log.info("emitting again: %s", ", ".join(sorted(found)))
    return sorted(found)


def _each(step: Callable[[Database, Config, str, Window], Any], deployments: Sequence[str] | None = None) -> Counts:
    config = configuration()
    window = resolve_window(get_current_context(), config)
    active = [
        name
        for name in (config.deployments if deployments is None else deployments)
        if config.deployments[name].is_active(window)
    ]
    if not active:
        log.info("no deployment is active in window %s", window)
    counts = {}
    for name in active:
        counts[name] = _plain(step(acting_database(), config, name, window))
        log.info("%s, window %s: %s", name, window.key, counts[name])
    return counts


def _each_on_lane(step: Callable[..., Any], lane: str, deployments: Sequence[str]) -> Counts:
    failures: list[str] = []

    def on_lane(database: Database, config: Config, deployment: str, window: Window) -> Any:
        try:
            return step(database, config, deployment, window, lanes=[lane])
        except ReplayError as error:  # the other deployments of the lane still get their turn
            failures.append(f"{deployment}: {error}")
            return None

    counts = _each(on_lane, deployments)
    if failures:
        raise ReplayError("; ".join(failures))
    return counts


def _plain(result: Any) -> Any:
    return dataclasses.asdict(result) if dataclasses.is_dataclass(result) and not isinstance(result, type) else result
