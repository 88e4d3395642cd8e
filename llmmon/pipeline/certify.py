"""Certify: plant faults of known size into a copy of a deployment's quiet windows, and tell which monitors notice them.

The monitors are taken as they are: what they learnt from the quiet windows, the summaries of the reference, the alarm
budget. From there on a possible future is made of stored windows, and the fault is planted into it from some window on.
So the result reads: had this happened now, this monitor would have told so many windows later. Nothing is written but
the result: all that is changed are copies in memory.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy import Connection

import llmmon
from llmmon.audit.event import body
from llmmon.config import Config, DeploymentConfig
from llmmon.errors import ConfigError
from llmmon.faults.base import Fault, faults
from llmmon.model import LOGGED, Measurement, Provenance, Window
from llmmon.pipeline.detection_power import results_of
from llmmon.pipeline.judge import Rule, StreamKey
from llmmon.pipeline.judging import asks_for_money
from llmmon.pipeline.monitors import Monitor, monitors_of
from llmmon.pipeline.plant_faults import MeasuredWindow, measure_planted
from llmmon.pipeline.reference import reference_of
from llmmon.pipeline.watch_faults import Watched, draw_course, learn, watch
from llmmon.pipeline.watches import watches_of
from llmmon.scorers.base import Scorer, scorers
from llmmon.store import audit
from llmmon.store.certification import Certification, CertificationResult, keep_certification, quiet_windows
from llmmon.store.database import Database
from llmmon.store.measurement import measurements_of_streams, streams_measured
from llmmon.store.provenance import remember

log = logging.getLogger(__name__)

N_RUNS: Final = 20
"""How often each fault and size is planted, each time from another window on and with other windows around."""
N_WATCHED: Final = 24
"""Windows that a fault is watched for, unless told otherwise."""
_MOST_WINDOWS: Final = 1000
"""Quiet windows that are learnt from, the newest; at least twice the reference."""
_COPIED: Final = 96
"""Quiet windows that faults are planted into, the newest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Subject:
    """The deployment as it stands: its monitors, rules, quiet windows and what they measured."""

    monitors: Sequence[Monitor]
    rules: Mapping[str, Rule]
    windows: Sequence[Window]
    streams: Mapping[StreamKey, Sequence[Measurement]]


def certify(
    database: Database,
    config: Config,
    deployment: str,
    *,
    fault_names: Sequence[str] = (),
    seed: int = 0,
    n_watched: int = N_WATCHED,
    n_runs: int = N_RUNS,
) -> Certification:
    """Tell which faults of which size the monitors of `deployment` would notice, and how soon; write that down.

    Parameters
    ----------
    database : Database
        Where stored windows are read. Only the certification and its audit event are written.
    config : Config
        Whole configuration.
    deployment : str
        Name of a deployment in `config`.
    fault_names : sequence of str
        Names of ``llmmon plugins faults``, alone for the sizes that are usual or as ``name=size``; none means all.
    seed : int
        Decides which windows are drawn and which rows are hit: the same gives the same result.
    n_watched : int
        Windows that each fault is watched for.
    n_runs : int
        Times that each fault and size is planted.

    Raises
    ------
    ConfigError
        When a plug-in refuses its parameters, a size is no number, or a number is too small.
    UnknownPluginError
        When no fault is called so; lists the names there are.
    """
    for name, value, least in (("windows", n_watched, 1), ("runs", n_runs, 1), ("seed", seed, 0)):
        if value < least:
            raise ConfigError(f"certify: {name} is {value}; expected at least {least}")
    started = time.monotonic()
    settings = config.deployments[deployment]
    chosen = _chosen(fault_names)
    with database.transaction() as connection:
        subject = _subject(connection, config, deployment)
    alpha = config.alpha if settings.alpha is None else settings.alpha
    missing = max(0, settings.reference_windows + 1 - len(subject.windows))
    results: list[CertificationResult] = []
    if missing:
        log.info("%s: cannot tell yet, needs %d more quiet windows", deployment, missing)
    else:
        known = learn(subject.rules, subject.streams, subject.windows[-1], alpha)
        copied = subject.windows[-_COPIED:]
        courses = [draw_course(copied, n_watched, np.random.default_rng([seed, run])) for run in range(n_runs)]
        used = sorted({window for course in courses for window in course.windows})
        measured = _measure(database, config, deployment, subject, used, chosen, seed=seed)
        runs: list[Watched] = []
        for course in courses:
            runs.append(watch(known, course, measured, [fault for sizes in chosen.values() for fault in sizes]))
            if len(runs) % 5 == 0:
                log.info("%s: run %d of %d judged, %.0f s", deployment, len(runs), n_runs, time.monotonic() - started)
        found = list(measured.values())
        results = list(results_of(subject.monitors, known, subject.streams, found, chosen, runs))
    certification = Certification(
        deployment=deployment,
        windows=subject.windows,
        n_missing_windows=missing,
        window_hours=config.window_hours,
        alpha=alpha,
        n_watched=n_watched,
        n_runs=0 if missing else n_runs,
        results=results,
    )
    _keep(database, config, certification, chosen, seed)
    log.info("%s: certified in %.0f s", deployment, time.monotonic() - started)
    return certification


def _chosen(names: Sequence[str]) -> dict[str, list[Fault]]:
    sizes: dict[str, set[float]] = {}
    for item in names or faults.names():
        name, equals, text = item.partition("=")
        usual = faults.get(name).sizes
        try:
            sizes.setdefault(name, set()).update([float(text)] if equals else usual)
        except ValueError as error:
            raise ConfigError(
                f"certify: {item!r} is no fault; expected NAME or NAME=SIZE, as in {name}={usual[0]}"
            ) from error
    return {name: _growing(name, found) for name, found in sizes.items()}


def _growing(name: str, sizes: set[float]) -> list[Fault]:
    """Return a fault in some sizes, the smallest change first."""
    found = [faults.create(name, {"size": size}, where=f"certify: {name}={size:g}") for size in sizes]
    nothing = faults.get(name).nothing
    return sorted(found, key=lambda fault: abs(math.log(fault.size / nothing) if nothing else fault.size))


def _subject(connection: Connection, config: Config, deployment: str) -> _Subject:
    settings = config.deployments[deployment]
    monitors, rules = _monitors(connection, config, deployment)
    most = max(_MOST_WINDOWS, 2 * settings.reference_windows)
    windows = quiet_windows(connection, deployment, length=config.window_length, limit=most)
    streams: Mapping[StreamKey, Sequence[Measurement]] = {}
    if windows:
        since, until = windows[0].start, windows[-1].end
        keys = streams_measured(connection, deployment, list(rules), since=since, until=until)
        streams = measurements_of_streams(connection, deployment, dict.fromkeys(sorted(keys), since), until)
    return _Subject(monitors=monitors, rules=rules, windows=windows, streams=streams)


def _monitors(connection: Connection, config: Config, deployment: str) -> tuple[list[Monitor], dict[str, Rule]]:
    looked = connection.begin_nested()  # how numbers are made is remembered by who makes them: nothing of it stays
    try:
        monitors = monitors_of(connection, config, deployment)
        return monitors, {name: watch.rule for name, watch in watches_of(connection, config, deployment).items()}
    finally:
        looked.rollback()


def _measure(
    database: Database,
    config: Config,
    deployment: str,
    subject: _Subject,
    windows: Sequence[Window],
    chosen: Mapping[str, Sequence[Fault]],
    *,
    seed: int,
) -> dict[Window, MeasuredWindow]:
    settings = config.deployments[deployment]
    judges = _judges(settings, deployment)
    started = time.monotonic()
    measured = {}
    with database.transaction() as connection:
        reference = reference_of(connection, config, deployment, subject.monitors)
        for window in windows:
            measured[window] = measure_planted(
                connection,
                settings,
                deployment,
                window,
                subject.monitors,
                reference,
                chosen,
                scorers=judges,
                seed=seed,
            )
            done, told = len(measured), "%s: window %d of %d measured with %d faults, %.0f s"
            log.info(told, deployment, done, len(windows), len(chosen), time.monotonic() - started)
    return measured


def _judges(settings: DeploymentConfig, deployment: str) -> dict[str, Scorer]:
    return {
        name: item.judge.create(scorers, where=f"deployments.{deployment}.scorers.{name}.judge")
        for name, item in settings.scorers.items()
        # planted answers are judged here and now: not for money, and not against facts
        if LOGGED in item.lanes and not asks_for_money(item) and item.facts is None
    }


def _keep(
    database: Database,
    config: Config,
    certification: Certification,
    chosen: Mapping[str, Sequence[Fault]],
    seed: int,
) -> None:
    provenance = Provenance(
        kind="faults",
        plugin="certify",
        parameters={name: [fault.size for fault in sizes] for name, sizes in chosen.items()},
        code_version=llmmon.__version__,
        config_digest=config.digest,
        seed=seed,
    )
    told = {
        "n_windows": len(certification.windows),
        "n_missing_windows": certification.n_missing_windows,
        "n_watched": certification.n_watched,
        "n_runs": certification.n_runs,
        "n_results": len(certification.results),
        "seed": seed,
        "faults": list(chosen),
    }
    with database.transaction() as connection:
        number = keep_certification(connection, certification, remember(connection, provenance))
        fact = {"certification_id": number, **told}
        event = body(
            "deployment.certified", f"deployment {certification.deployment}", fact, config_digest=config.digest
        )
        audit.append(connection, event)
