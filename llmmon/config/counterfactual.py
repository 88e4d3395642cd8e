"""``[deployments.NAME.counterfactual]``: a few lines that stand for variants, lanes of scorers and monitors.

What a table of the file says itself comes first: a monitor of the same name takes the place of the one made here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from llmmon.config.deployment import CounterfactualConfig

_ALPHA: Final = 0.05


def with_counterfactuals(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration, as read, in which every ``counterfactual`` table is written out.

    Parameters
    ----------
    raw : mapping
        Not validated yet. A table that is wrong, or names a lane or scorer that is not there, is left for validation
        to tell.
    """
    deployments = raw.get("deployments")
    if not isinstance(deployments, Mapping):
        return dict(raw)
    alpha = raw.get("alpha", _ALPHA)
    return {**raw, "deployments": {name: _written_out(one, alpha) for name, one in deployments.items()}}


def _written_out(deployment: Any, alpha: Any) -> Any:
    if not isinstance(deployment, Mapping) or "counterfactual" not in deployment:
        return deployment
    try:
        settings = CounterfactualConfig.model_validate(deployment["counterfactual"])
    except ValidationError:
        return deployment
    lanes, scorers = dict(deployment.get("lanes", {})), dict(deployment.get("scorers", {}))
    if isinstance(lanes.get(settings.lane), Mapping):
        lanes[settings.lane] = _with_variants(lanes[settings.lane], settings)
    for outcome in settings.outcomes:
        if isinstance(scorers.get(outcome), Mapping):
            found = list(scorers[outcome].get("lanes", ("logged",)))
            missing = [settings.lane] if settings.lane not in found else []
            scorers[outcome] = {**scorers[outcome], "lanes": [*found, *missing]}
    made = dict(_monitors(settings, deployment.get("alpha", alpha)))
    return {
        **deployment,
        "lanes": lanes,
        "scorers": scorers,
        "monitors": {**made, **deployment.get("monitors", {})},
    }


def _with_variants(lane: Mapping[str, Any], settings: CounterfactualConfig) -> dict[str, Any]:
    wanted: list[Any] = ["as_logged"]
    for attribute in settings.attributes:
        swap: dict[str, Any] = {"type": "attribute_swap", "attribute": attribute, "max_groups": settings.max_groups}
        if attribute in settings.lexicons:
            swap["lexicons"] = list(settings.lexicons[attribute])
        wanted.append(swap)
    if settings.excess:
        wanted.append({"type": "repeat", "k": 1, "temperature": "as_logged"})
    variants = list(lane.get("variants", ()))
    known = {_kind(variant) for variant in variants}
    return {**lane, "variants": [*variants, *(one for one in wanted if _kind(one) not in known)]}


def _kind(variant: Any) -> tuple[Any, ...]:
    """Return what makes a variant the one that is wanted: a lane may swap an attribute in its own way already."""
    if not isinstance(variant, Mapping):
        return (variant,)
    return variant.get("type"), variant.get("attribute"), variant.get("temperature")


def _monitors(settings: CounterfactualConfig, alpha: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    told: dict[str, Any] = {"severity": settings.severity}
    if settings.channels is not None:
        told["channels"] = settings.channels
    for attribute, groups in settings.attributes.items():
        for outcome, least in settings.outcomes.items():
            metric = {"scorer": outcome, "lane": settings.lane, "attribute": attribute, "alpha": alpha}
            for group in groups or (None,):
                named = {} if group is None else {"group": group}
                parts = ("gap", attribute, group, outcome) if group else ("gap", attribute, outcome)
                yield (
                    "-".join(map(str, parts)).replace(" ", "-"),
                    {
                        **told,
                        "description": f"{outcome} of answers to the same prompts, by {attribute}",
                        "metric": {"type": "counterfactual_gap", **metric, **named},
                        "detector": "paired_difference",
                        "min_effect": least,
                    },
                )
            if settings.excess:
                yield (
                    f"excess-{attribute}-{outcome}",
                    {
                        **told,
                        "description": f"How much more {outcome} changes with {attribute} than when asked again",
                        "metric": {"type": "counterfactual_excess", **metric},
                        "detector": {"type": "paired_difference", "sides": "worse"},
                        "min_effect": least,
                    },
                )
