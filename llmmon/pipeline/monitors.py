"""The monitors of a deployment, built from its configuration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

import llmmon
from llmmon.config import Config, DeploymentConfig, MonitorConfig
from llmmon.metrics.base import Metric, metrics
from llmmon.model import Direction, Provenance
from llmmon.pipeline.known_settings import remember_settings
from llmmon.pipeline.segments import check_dimension
from llmmon.registry import parameters_of
from llmmon.scorers.base import is_judge, scorers
from llmmon.store.provenance import remember

_OF_SCORES: Final = frozenset({"score_mean", "score_rate"})


@dataclass(frozen=True, slots=True)
class Monitor:
    """A monitor, its metric as configured, and how its numbers are made.

    Parameters
    ----------
    value_range : tuple of float
        Least and largest value that can be.
    is_uncalibrated : bool
        Whether its values are a judge's, and not corrected by what people say.
    """

    name: str
    metric: Metric
    settings: MonitorConfig
    unit: str
    value_range: tuple[float, float]
    provenance_id: int
    is_uncalibrated: bool = False


def monitors_of(connection: Connection, config: Config, deployment: str) -> list[Monitor]:
    """Return the monitors of `deployment` in the order of the configuration.

    Raises
    ------
    ConfigError
        When a metric refuses its parameters, or a segment names no field.
    """
    settings = config.deployments[deployment]
    remember_settings(connection, config, deployment)
    found = []
    for name, item in settings.monitors.items():
        where = f"deployments.{deployment}.monitors.{name}"
        metric = item.metric.create(metrics, where=f"{where}.metric")
        for dimension in item.segments:
            check_dimension(dimension, where=f"{where}.segments")
        provenance = Provenance(
            kind="metrics",
            plugin=metric.plugin_name,
            parameters=parameters_of(metric),
            code_version=llmmon.__version__,
            config_digest=config.digest,
            seed=getattr(metric, "seed", None),
        )
        unit, _ = unit_and_direction(settings, item, where=where)
        limits = value_range_of(settings, item, metric)
        number = remember(connection, provenance)
        found.append(Monitor(name, metric, item, unit, limits, number, is_uncalibrated(settings, item, metric)))
    return found


def is_uncalibrated(settings: DeploymentConfig, monitor: MonitorConfig, metric: Metric) -> bool:
    """Return whether a monitor's values are a judge's own: a mean or a share of its scores, not corrected by labels."""
    if metric.plugin_name not in _OF_SCORES:
        return False
    return is_judge(scorers.get(settings.scorers[monitor.metric.parameters["scorer"]].judge.type))


def value_range_of(settings: DeploymentConfig, monitor: MonitorConfig, metric: Metric) -> tuple[float, float]:
    """Return the least and the largest value of `metric`; a summary of scores is in their scorer's unit."""
    if metric.unit != "score":
        return -math.inf, math.inf
    return scorers.get(settings.scorers[monitor.metric.parameters["scorer"]].judge.type).value_range


def unit_and_direction(settings: DeploymentConfig, monitor: MonitorConfig, *, where: str) -> tuple[str, Direction]:
    """Return the unit of a monitor's measurements and which way is better; a metric over scores has its scorer's."""
    metric = monitor.metric.create(metrics, where=f"{where}.metric")
    name = monitor.metric.parameters.get("scorer")
    if metric.direction == "neither" and name is not None:
        scorer = scorers.get(settings.scorers[name].judge.type)
        return (scorer.unit if metric.unit == "score" else metric.unit), scorer.direction
    return metric.unit, metric.direction
