"""Every stage over some windows in one process: what the DAGs do, without Airflow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llmmon.channels.base import Connection
from llmmon.config import Config
from llmmon.errors import ReplayError
from llmmon.model import Window
from llmmon.pipeline.deliver import DeliverResult, deliver
from llmmon.pipeline.detect import detect
from llmmon.pipeline.draw_sample import draw_sample
from llmmon.pipeline.explain import explain_waiting
from llmmon.pipeline.ingest import IngestResult, finish_ingest, ingest_source
from llmmon.pipeline.measure import measure
from llmmon.pipeline.probe_endpoint import probe_endpoint
from llmmon.pipeline.run_replay import finish_replay, run_replay
from llmmon.pipeline.score_responses import score_responses
from llmmon.store.coverage import event_windows
from llmmon.store.database import Database

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What one run did.

    Parameters
    ----------
    ingested : tuple of IngestResult
        One per source.
    n_windows : int
        Windows in which a deployment was active, summed over deployments.
    replay_failures : tuple of str
        Why a replay lane or the sentinel could not run; its requests and probes are stored as failed.
    """

    ingested: tuple[IngestResult, ...]
    n_windows: int
    replay_failures: tuple[str, ...]
    delivered: DeliverResult


def run_windows(
    database: Database,
    config: Config,
    windows: Sequence[Window] | None,
    *,
    resolve: Callable[[str], Connection],
    progress: Progress | None = None,
) -> RunResult:
    """Ingest what is new, then take every window through sample, replay, probe, score, measure, detect and deliver.

    Parameters
    ----------
    windows : sequence of Window or None
        None: every window in which there is a request.
    resolve : callable
        Gives the connection of a channel by name.
    progress : callable or None
        Called with the stage, how many of its jobs are done, and how many there are.
    """
    used = sorted({deployment.source for deployment in config.deployments.values()})
    ingested = tuple(ingest_source(database, config, source) for source in used)
    jobs = [
        (name, window)
        for name, deployment in config.deployments.items()
        for window in (windows if windows is not None else event_windows(database, name, config.window_length))
        if deployment.is_active(window)
    ]
    failures: list[str] = []

    def replay(database: Database, config: Config, deployment: str, window: Window) -> None:
        try:
            run_replay(database, config, deployment, window)
        except ReplayError as error:
            failures.append(f"{deployment} {window}: {error}")
        finish_replay(database, config, deployment, window)

    def probe(database: Database, config: Config, deployment: str, window: Window) -> None:
        try:
            probe_endpoint(database, config, deployment, window)
        except ReplayError as error:
            failures.append(f"{deployment} {window}: sentinel: {error}")

    stages = {
        "ingest": finish_ingest,
        "sample": draw_sample,
        "replay": replay,
        "probe": probe,
        "score": score_responses,
        "measure": measure,
    }
    for stage, step in stages.items():
        for done, (deployment, window) in enumerate(jobs, start=1):
            step(database, config, deployment, window)
            if progress is not None:
                progress(stage, done, len(jobs))
    for name in dict.fromkeys(name for name, _ in jobs):
        detect(database, config, name)
        explain_waiting(database, config, name)
    return RunResult(
        ingested=ingested,
        n_windows=len(jobs),
        replay_failures=tuple(failures),
        delivered=deliver(database, config, resolve),
    )
