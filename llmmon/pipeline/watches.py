"""The monitors of a deployment, ready to judge their streams."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection

import llmmon
from llmmon.config import Config, DeploymentConfig, MonitorConfig, PluginConfig
from llmmon.detectors.base import Detector, detectors
from llmmon.detectors.learned_stream import FEWEST
from llmmon.model import Provenance
from llmmon.pipeline.judge import Rule
from llmmon.pipeline.monitors import unit_and_direction
from llmmon.registry import parameters_of
from llmmon.store.provenance import remember

WEEK: Final = timedelta(days=7)
"""A reference of this length shows every hour of every day of the week once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """A monitor with its rule.

    Parameters
    ----------
    detector_name : str
        As it is registered.
    provenance_id : int
        Of the rule under the configuration of today.
    digest : str
        Of all that decides what the rule says of a stream: plug-in, parameters, smallest effect, code version. A change
        elsewhere in the configuration leaves it as it is.
    """

    settings: MonitorConfig
    detector_name: str
    rule: Rule
    provenance_id: int
    digest: str


def watches_of(connection: Connection, config: Config, deployment: str) -> dict[str, Watch]:
    """Return the watches of `deployment` by monitor.

    Raises
    ------
    ConfigError
        When a detector refuses its parameters.
    """
    settings = config.deployments[deployment]
    found = {}
    for name, monitor in settings.monitors.items():
        where = f"deployments.{deployment}.monitors.{name}"
        detector = detector_of(settings, monitor, length=config.window_length, where=where)
        _, direction = unit_and_direction(settings, monitor, where=where)
        provenance = Provenance(
            kind="detectors",
            plugin=detector.plugin_name,
            parameters={**parameters_of(detector), "min_effect": monitor.min_effect, "direction": direction},
            code_version=llmmon.__version__,
            config_digest=config.digest,
        )
        found[name] = Watch(
            settings=monitor,
            detector_name=detector.plugin_name,
            rule=Rule(detector=detector, min_effect=monitor.min_effect, direction=direction),
            provenance_id=remember(connection, provenance),
            digest=dataclasses.replace(provenance, config_digest="").digest.hex(),
        )
    return found


def detector_of(settings: DeploymentConfig, monitor: MonitorConfig, *, length: timedelta, where: str) -> Detector:
    """Build a monitor's detector; one that learns first does so over the deployment's reference windows.

    Parameters
    ----------
    length : timedelta
        Of one window.
    where : str
        The monitor's place in the configuration.
    """
    chosen = monitor.detector or PluginConfig(type=default_detector(settings.reference_windows, length))
    name, parameters = chosen.type, dict(chosen.parameters)
    if name in detectors.names():  # a name that is none is told by create, with its place
        cls: Any = detectors.get(name)
        if "burn_in" in {field.name for field in dataclasses.fields(cls)}:
            parameters.setdefault("burn_in", settings.reference_windows)
    return detectors.create(name, parameters, where=f"{where}.detector")


def default_detector(reference_windows: int, length: timedelta) -> str:
    """Return the detector of a monitor that names none: one that knows the week where the reference shows a week.

    Seven windows of a day do show one, but are too few to learn it from.
    """
    knows_week = reference_windows >= FEWEST and reference_windows * length >= WEEK
    return "seasonal_change" if knows_week else "reference_change"
