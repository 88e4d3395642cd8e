"""Every plug-in that a configuration names, built once, so that a misspelt one is told before anything runs."""

from __future__ import annotations

import logging
from typing import Final

from llmmon.backends.base import backends
from llmmon.channels.base import channels
from llmmon.config import Config, CounterfactualConfig, DeploymentConfig
from llmmon.errors import ConfigError
from llmmon.metrics.base import metrics
from llmmon.pipeline.probe_prompts import load_prompts
from llmmon.pipeline.watches import detector_of
from llmmon.scorers.base import scorers
from llmmon.sources.base import sources
from llmmon.variants.base import variants
from llmmon.variants.lexicon import lexicon

log = logging.getLogger(__name__)

_SAY_NOTHING_OF_TRUTH: Final = frozenset({"length", "pii", "refusal"})


def check_plugins(config: Config) -> None:
    """Build every plug-in of `config` and throw it away; warn of a deployment that only a judge watches for truth.

    Raises
    ------
    UnknownPluginError
        When a name is not registered; lists the names there are.
    ConfigError
        When a plug-in refuses its parameters; names the key.
    """
    for name, source in config.sources.items():
        source.read.create(sources, where=f"sources.{name}.read")
    for name, backend in config.backends.items():
        backend.create(backends, where=f"backends.{name}")
    for name, channel in config.channels.items():
        channel.create(channels, where=f"channels.{name}")
    for name, deployment in config.deployments.items():
        here = f"deployments.{name}"
        if deployment.sentinel is not None:
            load_prompts(deployment.sentinel, where=f"{here}.sentinel")
        if deployment.counterfactual is not None:
            _check_groups(deployment.counterfactual, where=f"{here}.counterfactual")
        for lane_name, lane in deployment.lanes.items():
            for variant in lane.variants:
                variant.create(variants, where=f"{here}.lanes.{lane_name}.variants")
        for scorer_name, scorer in deployment.scorers.items():
            scorer.judge.create(scorers, where=f"{here}.scorers.{scorer_name}.judge")
        if _only_a_judge(deployment):
            log.warning(
                "%s.scorers: llm_judge is the only one that looks for wrong answers; set one beside it that cannot "
                "drift or be talked to, such as groundedness or correctness (docs/hallucination.md)",
                here,
            )
        for monitor_name, monitor in deployment.monitors.items():
            where = f"{here}.monitors.{monitor_name}"
            monitor.metric.create(metrics, where=f"{where}.metric")
            detector_of(deployment, monitor, length=config.window_length, where=where)


def _only_a_judge(deployment: DeploymentConfig) -> bool:
    return {scorer.judge.type for scorer in deployment.scorers.values()} - _SAY_NOTHING_OF_TRUTH == {"llm_judge"}


def _check_groups(settings: CounterfactualConfig, *, where: str) -> None:
    for attribute, groups in settings.attributes.items():
        files = settings.lexicons.get(attribute, ())
        variants.create("attribute_swap", {"attribute": attribute, "lexicons": files}, where=f"{where}.attributes")
        known = lexicon(attribute, files).groups
        unknown = [group for group in groups if group not in known]
        if unknown:
            raise ConfigError(f"{where}.attributes.{attribute}: no group {unknown[0]!r}; there are: {', '.join(known)}")
