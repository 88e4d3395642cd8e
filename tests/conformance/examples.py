"""How to build one of every plug-in: parameters where there are no defaults, and values that it must refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from llmmon.backends.base import backends
from llmmon.channels.base import channels
from llmmon.detectors.base import detectors
from llmmon.faults.base import faults
from llmmon.metrics.base import metrics
from llmmon.registry import Registry
from llmmon.scorers.base import scorers
from llmmon.sources.base import sources
from llmmon.variants.base import variants
from tests.tiny_models import tiny_classifier, tiny_word_classifier

REGISTRIES: Final[Mapping[str, Registry[Any]]] = {
    registry.kind: registry for registry in (sources, backends, variants, scorers, metrics, detectors, channels, faults)
}
_SCORED: Final = {"scorer": "refusal"}
PARAMETERS: Final[Mapping[tuple[str, str], Mapping[str, Any]]] = {
    ("sources", "openai_jsonl"): {"path": "logs/*.jsonl"},
    ("sources", "otlp_json"): {"path": "otel/*.json"},
    ("sources", "litellm_jsonl"): {"path": "litellm/*.jsonl"},
    ("sources", "langfuse_export"): {"path": "langfuse/*.jsonl"},
    ("sources", "mapped_parquet"): {"path": "logs/*.parquet", "fields": {"occurred_at": "time", "model": "model"}},
    ("sources", "mapped_csv"): {"path": "logs/*.csv", "fields": {"occurred_at": "time", "model": "model"}},
    ("sources", "mapped_jsonl"): {"path": "logs/*.jsonl", "fields": {"occurred_at": "time", "model": "model"}},
    ("sources", "postgres_table"): {
        "table": "gateway.completions",
        "key": "completion_id",
        "url_env": "GATEWAY_URL",
        "columns": {
            "request_id": "completion_id",
            "occurred_at": "asked_at",
            "model": "model",
            "prompt": "question",
            "response_text": "answer",
        },
    },
    ("backends", "transformers"): {"model": "org/name", "revision": "0" * 40},
    ("backends", "openai_compatible"): {"base_url": "http://127.0.0.1:8000/v1", "model": "demo"},
    ("variants", "attribute_swap"): {"attribute": "age"},
    ("scorers", "groundedness_transformers"): {
        "model": lambda: str(tiny_classifier("nli", ("entailment", "neutral", "contradiction"))),
        "max_tokens": 128,
        "device": "cpu",
    },
    ("scorers", "llm_judge"): {"base_url": "http://127.0.0.1:8000/v1", "model": "judge"},
    ("scorers", "text_classification"): {"model": tiny_word_classifier, "label": "negative"},
    ("metrics", "score_mean"): _SCORED,
    ("metrics", "score_quantile"): _SCORED,
    ("metrics", "score_rate"): {**_SCORED, "limit": 0.5},
    ("metrics", "calibrated_rate"): {**_SCORED, "threshold": 0.5, "side": "above"},
    ("metrics", "anchor_shift"): _SCORED,
    ("metrics", "category_share"): {"field": "route", "category": "chat"},
    ("metrics", "topic_mix"): {"field": "response_text"},
    ("metrics", "impact_ratio"): {**_SCORED, "group": "age"},
    ("metrics", "demographic_parity_difference"): {**_SCORED, "group": "age"},
    ("metrics", "demographic_parity_ratio"): {**_SCORED, "group": "age"},
    ("metrics", "equal_opportunity_difference"): {**_SCORED, "group": "age", "truth": "route=chat"},
    ("metrics", "equalized_odds_difference"): {**_SCORED, "group": ["age"], "truth": "route=chat"},
    ("metrics", "group_gap"): {**_SCORED, "group": "age", "of": "old"},
    ("metrics", "counterfactual_gap"): {**_SCORED, "lane": "reference"},
    ("metrics", "counterfactual_excess"): {**_SCORED, "lane": "reference"},
    ("detectors", "bounded_mean"): {"burn_in": 24},
    ("detectors", "predictive_two_sample"): {"burn_in": 24},
    ("detectors", "reference_change"): {"burn_in": 3},
    ("detectors", "seasonal_change"): {"burn_in": 24},
    ("detectors", "slo_threshold"): {"limit": 1.0, "worse": "above"},
    ("channels", "slack_webhook"): {"connection": "slack"},
    ("channels", "email"): {"connection": "smtp", "to": ["on-call@example.com"]},
    ("channels", "folder"): {"path": "alerts"},
    **{("faults", name): {"size": 0.5} for name in faults.names()},
}
REFUSED: Final[Mapping[tuple[str, str], Mapping[str, Any]]] = {
    ("sources", "mapped_csv"): {"delimiter": ";;"},
    ("sources", "mapped_jsonl"): {"fields": {"colour": "c"}},
    ("sources", "mapped_parquet"): {"fields": {"colour": "c"}},
    ("sources", "postgres_table"): {"columns": {"colour": "c"}},
    ("sources", "otlp_json"): {"fields": {"colour": "c"}},
    ("sources", "litellm_jsonl"): {"fields": {"colour": "c"}},
    ("sources", "langfuse_export"): {"fields": {"colour": "c"}},
    ("backends", "transformers"): {"max_new_tokens": 0},
    ("variants", "attribute_swap"): {"attribute": "shoe size"},
    ("variants", "repeat"): {"k": 0},
    ("variants", "typo"): {"rate": 2.0},
    ("scorers", "correctness"): {"how": "by magic"},
    ("scorers", "groundedness"): {"threshold": 0.0},
    ("scorers", "groundedness_transformers"): {"task": "poetry"},
    ("scorers", "lexical_support"): {"threshold": 0.0},
    ("scorers", "text_classification"): {"revision": "main"},
    ("scorers", "self_consistency"): {"min_siblings": 0},
    ("scorers", "semantic_entropy"): {"min_similarity": 0.0},
    ("scorers", "answer_agreement"): {"threshold": 1.0},
    ("scorers", "llm_judge"): {"rubric": "beauty"},
    ("scorers", "hallucination_risk"): {"coefficients": {"luck": 1.0}},
    ("scorers", "pii"): {"types": ["SHOE_SIZE"]},
    ("metrics", "cost"): {"statistic": "mode"},
    ("metrics", "latency_quantile"): {"quantile": 1.5},
    ("metrics", "throughput"): {"of": "fun"},
    ("metrics", "exceedance_rate"): {"quantile": 1.0},
    ("metrics", "slo_bad_share"): {"fails_count": False},
    ("metrics", "ks_distance"): {"field": "colour"},
    ("metrics", "psi"): {"bins": 1},
    ("metrics", "jensen_shannon"): {"bins": 1},
    ("metrics", "category_share"): {"field": "colour"},
    ("metrics", "mmd"): {"fields": ["response_text", "latency_ms"]},
    ("metrics", "topic_mix"): {"topics": 1},
    ("metrics", "wasserstein"): {"field": "colour"},
    ("metrics", "text_statistic"): {"statistic": "beauty"},
    ("metrics", "embedding_drift"): {"max_rows": 1},
    ("metrics", "probe_mmd"): {"by": "magic"},
    ("metrics", "probe_logprob_gap"): {"lane": "fast"},
    ("metrics", "score_rate"): {"side": "left"},
    ("metrics", "calibrated_rate"): {"method": "magic"},
    ("metrics", "score_quantile"): {"quantile": 0.0},
    ("metrics", "impact_ratio"): {"good": 2},
    ("metrics", "counterfactual_gap"): {"alpha": 0.0},
    ("metrics", "counterfactual_excess"): {"alpha": 1.0},
    ("metrics", "demographic_parity_difference"): {"min_group_size": 1},
    ("metrics", "demographic_parity_ratio"): {"max_missing": 1.5},
    ("metrics", "equal_opportunity_difference"): {"truth": "shoe=42"},
    ("metrics", "equalized_odds_difference"): {"group": []},
    ("metrics", "group_gap"): {"group": ""},
    ("detectors", "bounded_mean"): {"high": -1.0},
    ("detectors", "predictive_two_sample"): {"burn_in": 5},
    ("detectors", "paired_difference"): {"sides": "left"},
    ("detectors", "seasonal_change"): {"burn_in": 5},
    ("detectors", "slo_threshold"): {"worse": "sideways"},
    **{("faults", name): {"size": -0.5} for name in faults.names()},
}
ALL: Final = sorted((kind, name) for kind, registry in REGISTRIES.items() for name in registry.names())


def parameters(kind: str, name: str) -> dict[str, Any]:
    """Return parameters with which the plug-in can be built; what has to be made first is made now."""
    found = PARAMETERS.get((kind, name), {})
    return {key: value() if callable(value) else value for key, value in found.items()}


def build(kind: str, name: str, **changes: Any) -> Any:
    """Return the plug-in, built as the configuration would."""
    return REGISTRIES[kind].create(name, {**parameters(kind, name), **changes}, where="here")
