"""A deployment with real rows, replays on two lanes and one planted change from the seventh hour on."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Literal

from llmmon.config import Config, load_config
from llmmon.model import Provenance, ReplayItem, Response, Window
from llmmon.pipeline.detect import detect
from llmmon.pipeline.draw_sample import draw_sample
from llmmon.pipeline.ingest import finish_ingest, ingest_source
from llmmon.pipeline.measure import measure
from llmmon.pipeline.run_replay import finish_replay
from llmmon.pipeline.score_responses import score_responses
from llmmon.store.database import Database
from llmmon.store.provenance import remember
from llmmon.store.replay import keep_responses, window_samples
from tests.conftest import EPOCH, make_line

Fault = Literal["traffic", "model", "serving noise", "judge"]
TOML = """
[sources.logs]
read = {type = "openai_jsonl", path = "${here}/*.jsonl"}
[backends.pinned]
type = "transformers"
model = "nowhere"
[backends.endpoint]
type = "openai_compatible"
base_url = "http://127.0.0.1:1/v1"
model = "chat"
[deployments.assistant]
source = "logs"
reference_windows = 6
alpha = 0.3
active_from = 2023-06-27T05:00:00Z
sample = {per_window = 24, strata = ["route"]}
[deployments.assistant.lanes]
reference = {backend = "pinned"}
serving = {backend = "endpoint"}
[deployments.assistant.scorers]
words = {judge = "length"}
[deployments.assistant.monitors.answer-length]
metric = {type = "score_mean", scorer = "words"}
min_effect = 3
[deployments.assistant.monitors.latency]
metric = {type = "latency_quantile", quantile = 0.5}
min_effect = 1000000
[deployments.assistant.monitors.route-mix]
metric = {type = "jensen_shannon", field = "route"}
min_effect = 0.05
"""
N_HOURS, N_CALM, PER_HOUR = 9, 6, 40
HOURS = [Window(start=EPOCH + timedelta(hours=h), end=EPOCH + timedelta(hours=h + 1)) for h in range(N_HOURS)]
_WORDS = {"chat": 20, "code": 60}


def _text(n: float) -> str:
    return " ".join(["word"] * max(1, round(n)))


def _length(route: str, index: int, salt: str) -> float:
    return _WORDS[route] * (0.8 + 0.4 * random.Random(f"{salt}-{index}").random())


def changed(database: Database, folder: Path, fault: Fault) -> Config:
    """Load, replay, judge, measure and detect nine hours; after six, answers get longer because of `fault`."""
    path = folder / "llmmon.toml"
    path.write_text(TOML, "utf-8")
    config = load_config(path)
    lines, routes = [], {}
    for hour in range(N_HOURS):
        is_changed = hour >= N_CALM
        for i in range(PER_HOUR):
            index = hour * PER_HOUR + i
            code = i % 10 < (7 if fault == "traffic" and is_changed else 2)
            routes[index] = route = "code" if code else "chat"
            longer = 1.6 if is_changed and fault in ("model", "serving noise") else 1.0
            answer = _text(_length(route, index, "logged") * longer)
            moment = EPOCH + timedelta(hours=hour, seconds=80 * i)
            response = {
                "choices": [{"message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 8, "completion_tokens": len(answer.split())},
            }
            lines.append(
                make_line(
                    index,
                    timestamp=moment.isoformat().replace("+00:00", "Z"),
                    route=route,
                    tenant=f"t{index % 3}",
                    response=response,
                )
            )
    (folder / "logs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    ingest_source(database, config, "logs")
    for hour, window in enumerate(HOURS):
        finish_ingest(database, config, "assistant", window)
        draw_sample(database, config, "assistant", window)
        _replay(database, window, routes, longer=1.6 if fault == "model" and hour >= N_CALM else 1.0)
        finish_replay(database, config, "assistant", window)
        score_responses(database, config, "assistant", window)
        if fault == "judge" and hour >= N_CALM:  # as another version of the scorer left them
            with database.transaction() as connection:
                connection.exec_driver_sql(
                    "UPDATE llmmon.score SET value = value * 1.6 WHERE window_start = %(start)s",
                    {"start": window.start},
                )
    for window in HOURS:
        measure(database, config, "assistant", window)
    detect(database, config, "assistant")
    return config


def _replay(database: Database, window: Window, routes: dict[int, str], *, longer: float) -> None:
    with database.transaction() as connection:
        index_of = {
            row.request_key: int(row.request_id.removeprefix("req-"))
            for row in connection.exec_driver_sql("SELECT request_key, request_id FROM llmmon.request_identity")
        }
        for lane, plugin, revision in (("reference", "transformers", "r1"), ("serving", "openai_compatible", None)):
            how = Provenance(
                kind="backends",
                plugin=plugin,
                parameters={},
                code_version="1",
                config_digest="d",
                model_revision=revision,
            )
            number = remember(connection, how)
            responses = []
            for sample in window_samples(connection, "assistant", window):
                index = index_of[sample.request_key]
                n = _length(routes[index], index, lane) * (longer if lane == "serving" else 0.5)
                item = ReplayItem(
                    sample_id=sample.sample_id,
                    request_key=sample.request_key,
                    lane=lane,
                    variant="as_logged",
                    repeat=0,
                    messages=(),
                    documents=(),
                    parameters={},
                    seed=1,
                )
                responses.append(Response(item=item, backend=plugin, model="m", model_revision=revision, text=_text(n)))
            keep_responses(connection, "assistant", window, responses, {revision: number})
