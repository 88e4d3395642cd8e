"""Sketch the latencies of one window, so that longer stretches are read off sketches and not off requests."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from sqlalchemy import Connection

from llmmon.config import Config, DeploymentConfig
from llmmon.metrics.columns import LATENCIES, numbers
from llmmon.metrics.sketch import Sketch
from llmmon.model import Window
from llmmon.pipeline.segments import check_dimension, segments_of, select
from llmmon.store.frames import Frames
from llmmon.store.latency_sketch import LatencySketch, keep_sketches, keep_slos

MAX_SEGMENTS: Final = 50
"""Values of one dimension that get sketches of their own."""
_ALWAYS: Final = ("model", "route")


def sketch_latency(connection: Connection, config: Config, deployment: str, window: Window, frames: Frames) -> None:
    """Write the sketches of `window` in place of earlier ones, and the objectives in force.

    There is one per latency and segment: the whole, each model and route, and what monitors and objectives name.

    Raises
    ------
    ConfigError
        When the segment of an objective names no field.
    """
    settings = config.deployments[deployment]
    sketches = []
    for segment in segments_of(frames, [window], _dimensions(settings, deployment), most=MAX_SEGMENTS):
        data = select(frames, [window], segment)
        n_failed = int((data.requests["status"] != "ok").sum())
        for field in LATENCIES:
            values, _ = numbers(data, field)
            found = Sketch.of(values[values >= 0])
            n_requests = len(data.requests)
            sketch = LatencySketch(
                segment=str(segment),
                field=field,
                n_requests=n_requests,
                n_failed=n_failed,
                n_missing=n_requests - n_failed - found.n,
                n=found.n,
                buckets=found.buckets.tolist(),
                counts=found.counts.tolist(),
            )
            sketches.append(asdict(sketch))
    keep_sketches(connection, deployment, window, sketches)
    slos = [{"slo": name, **item.model_dump()} for name, item in settings.slos.items()]
    keep_slos(connection, deployment, slos, config.digest)


def _dimensions(settings: DeploymentConfig, deployment: str) -> list[str]:
    found = dict.fromkeys(_ALWAYS)
    for monitor in settings.monitors.values():
        found.update(dict.fromkeys(monitor.segments))
    for name, slo in settings.slos.items():
        if slo.segment != "all":
            dimension = slo.segment.partition("=")[0]
            check_dimension(dimension, where=f"deployments.{deployment}.slos.{name}.segment")
            found[dimension] = None
    return list(found)
