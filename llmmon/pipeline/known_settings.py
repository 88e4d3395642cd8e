"""The settings that a number was made with, found again by the digest of the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError
from sqlalchemy import Connection

from llmmon.config import Config, DeploymentConfig
from llmmon.store.deployment_settings import find_settings, keep_settings


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownSettings:
    """What a configuration said of a deployment, and what it said for all of them."""

    window_hours: float
    alpha: float
    deployment: DeploymentConfig


def remember_settings(connection: Connection, config: Config, deployment: str) -> None:
    """Write down, once per configuration, what it says of `deployment`; it names neither sources nor secrets."""
    settings = config.deployments[deployment].model_dump(mode="json")
    known = {"window_hours": config.window_hours, "alpha": config.alpha, "deployment": settings}
    keep_settings(connection, config.digest, deployment, known)


def settings_of(connection: Connection, config: Config, config_digest: str, deployment: str) -> KnownSettings | None:
    """Return what the configuration of `config_digest` said of `deployment`.

    Returns
    -------
    KnownSettings or None
        None when it was not written down and `config` is another one, or when this code no longer understands it.
    """
    found = find_settings(connection, config_digest, deployment)
    if found is not None:
        try:
            record = DeploymentConfig.model_validate(found["deployment"])
        except ValidationError:
            return None
        return KnownSettings(window_hours=found["window_hours"], alpha=found["alpha"], deployment=record)
    if config.digest == config_digest and deployment in config.deployments:
        return KnownSettings(
            window_hours=config.window_hours, alpha=config.alpha, deployment=config.deployments[deployment]
        )
    return None
