"""The power of a deployment's monitors of gaps between groups, announced from its stored windows."""

from __future__ import annotations

from llmmon.config import Config
from llmmon.detectors.paired_difference import PairedDifference
from llmmon.errors import ConfigError
from llmmon.metrics.bias.counterfactual_gap import CounterfactualGap
from llmmon.model import Measurement
from llmmon.pipeline.gap_power import GapPower, gap_power
from llmmon.pipeline.judge import StreamKey
from llmmon.pipeline.monitors import monitors_of
from llmmon.pipeline.watches import watches_of
from llmmon.store.database import Database
from llmmon.store.measurement import latest_measurements


def announce_power(
    database: Database,
    config: Config,
    deployment: str,
    *,
    gap: float | None = None,
    n_windows: int = 720,
    n_runs: int = 400,
    seed: int = 0,
) -> list[tuple[StreamKey, GapPower]]:
    """Return how surely each stream of `counterfactual_gap` that `paired_difference` watches finds a gap.

    Parameters
    ----------
    gap : float or None
        In the metric's unit; None: the monitor's ``min_effect``.
    n_windows, n_runs : int
        Windows that it is watched for, and simulated runs.

    Raises
    ------
    ConfigError
        When a number is too small.
    """
    for name, value in (("windows", n_windows), ("runs", n_runs)):
        if value < 1:
            raise ConfigError(f"power: {name} is {value}; expected at least 1")
    settings = config.deployments[deployment]
    alpha = config.alpha if settings.alpha is None else settings.alpha
    with database.transaction() as connection:
        looked = connection.begin_nested()  # looking leaves no trace of how numbers would be made
        try:
            monitors = {monitor.name: monitor for monitor in monitors_of(connection, config, deployment)}
            watches = watches_of(connection, config, deployment)
        finally:
            looked.rollback()
        streams: dict[StreamKey, list[Measurement]] = {}
        for item in latest_measurements(connection, deployment):
            streams.setdefault((item.monitor, item.segment), []).append(item)
    needed = len([key for key in streams if key[0] in monitors]) / alpha
    return [
        (
            key,
            gap_power(
                stored,
                watches[key[0]].rule,
                gap=monitors[key[0]].settings.min_effect if gap is None else gap,
                n_windows=n_windows,
                needed=needed,
                n_runs=n_runs,
                seed=seed,
            ),
        )
        for key, stored in streams.items()
        if key[0] in monitors
        and isinstance(monitors[key[0]].metric, CounterfactualGap)
        and isinstance(watches[key[0]].rule.detector, PairedDifference)
    ]
