"""Which generations a window's sample calls for: a pure function of the sample, the requests and the configuration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from random import Random

from llmmon.config import LaneConfig, PluginConfig
from llmmon.model import ReplayItem, RequestLog, Sample, digest_of
from llmmon.variants.base import Variant, variants


def plan_lane(
    lane: str, settings: LaneConfig, samples: Sequence[Sample], requests: Mapping[int, RequestLog], *, where: str
) -> list[ReplayItem]:
    """Return the items of one lane.

    Parameters
    ----------
    lane, settings
        Name and configuration of the lane.
    requests : mapping
        By request_key; a sample whose request was retired meanwhile, or has no messages, gives no item.
    where : str
        Place of the lane in llmmon.toml, for error messages.

    Notes
    -----
    Seeds depend on the sample, the variant and the copy, and not on the lane: two lanes draw with the same random
    numbers, so a difference between them is the models'.
    """
    labels = variant_labels(settings.variants)
    plugins = [
        (label, variant.create(variants, where=f"{where}.variants"))
        for label, variant in zip(labels, settings.variants, strict=True)
    ]
    return [
        item
        for sample in samples
        if sample.request_key in requests and requests[sample.request_key].messages
        for label, plugin in plugins
        for item in _items(lane, label, plugin, sample, requests[sample.request_key])
    ]


def variant_labels(configured: Sequence[PluginConfig]) -> list[str]:
    """Return what each variant of a lane is called: its name, with its parameters where the name occurs twice.

    Examples
    --------
    >>> age, faith = (PluginConfig(type="attribute_swap", parameters={"attribute": a}) for a in ("age", "religion"))
    >>> variant_labels([PluginConfig(type="as_logged"), age, faith])
    ['as_logged', 'attribute_swap(age)', 'attribute_swap(religion)']
    """
    count = Counter(variant.type for variant in configured)
    return [
        variant.type
        if count[variant.type] == 1
        else f"{variant.type}({','.join(str(value) for value in variant.parameters.values())})"
        for variant in configured
    ]


def _items(lane: str, label: str, plugin: Variant, sample: Sample, request: RequestLog) -> Iterator[ReplayItem]:
    for repeat, derived in enumerate(plugin.derive(request, Random(_seed(sample, label, None)))):
        yield ReplayItem(
            sample_id=sample.sample_id,
            request_key=sample.request_key,
            lane=lane,
            variant=label,
            repeat=repeat,
            messages=derived.messages,
            documents=derived.documents,
            parameters=request.parameters,
            seed=_seed(sample, label, repeat),
            change=derived.change,
            # the logged answer belongs to the logged input only
            logged_response=None if derived.change else request.response_text,
        )


def _seed(sample: Sample, label: str, repeat: int | None) -> int:
    return int.from_bytes(digest_of([sample.seed, label, repeat])[:8], "big") >> 1
