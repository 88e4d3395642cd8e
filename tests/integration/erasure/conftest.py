"""A window in which users asked, their requests were replayed, and the answers judged."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import make_url

from llmmon.model import Provenance, Response, Window
from llmmon.pipeline.draw_sample import draw_sample
from llmmon.pipeline.ingest import finish_ingest, ingest_source
from llmmon.pipeline.plan_replay import plan_lane
from llmmon.pipeline.run_replay import finish_replay
from llmmon.pipeline.score_responses import score_responses
from llmmon.store.database import Database
from llmmon.store.provenance import remember
from llmmon.store.replay import keep_responses, sampled_requests, window_samples
from llmmon.store.roles import create_login

WINDOW = Window.parse("2023-06-27T05:00", hours=1)
LOGS = """
[sources.logs]
read = {type = "openai_jsonl", path = "${here}/*.jsonl*"}
[sources.logs.gate]
max_bad_fraction = 1.0
[backends.local]
type = "openai_compatible"
base_url = "http://127.0.0.1:9/v1"
model = "served"
[deployments.assistant]
source = "logs"
sample = {per_window = 100}
[deployments.assistant.lanes.serving]
backend = "local"
variants = ["typo"]
[deployments.assistant.scorers.right]
judge = {type = "correctness", how = "normalised"}
lanes = ["logged", "serving"]
"""


@pytest.fixture
def settings(config):
    return config(LOGS)


@pytest.fixture
def judged(database, settings, jsonl, line):
    """Ann asks twice, Bob once and a stranger once; every request is replayed mistyped, once in vain, and judged."""
    lines = []
    for index, user in enumerate(("ann", "bob", "ann", None)):
        item = line(index, user=user, reference_answer=f"expected secret {index}")
        item["request"]["messages"][0]["content"] = f"Please remember the prompt secret {index}"
        item["response"]["choices"][0]["message"]["content"] = f"answer secret {index}"
        lines.append(item)
    jsonl(lines)
    ingest_source(database, settings, "logs")
    finish_ingest(database, settings, "assistant", WINDOW)
    draw_sample(database, settings, "assistant", WINDOW)
    replay(database, settings)
    finish_replay(database, settings, "assistant", WINDOW)
    score_responses(database, settings, "assistant", WINDOW)
    return database


def items(connection, settings):
    lane = settings.deployments["assistant"].lanes["serving"]
    samples = window_samples(connection, "assistant", WINDOW)
    return plan_lane("serving", lane, samples, sampled_requests(connection, "assistant", WINDOW), where="lane")


def replay(database, settings):
    """Keep what an endpoint would give."""
    with database.transaction() as connection:
        keep(connection, items(connection, settings))


def keep(connection, todo):
    """Keep an answer to each item, and for the second request an error that quotes the input."""
    made_by = Provenance(kind="backends", plugin="test", parameters={}, code_version="", config_digest="")
    provenance_id = remember(connection, made_by)
    for item in todo:
        told = {"told": f"refused: {item.messages[0].content}"}
        outcome = {"reason": "refused", "detail": told} if item.request_key == 2 else {"text": "replay secret"}
        response = Response(item=item, backend="test", model="m", model_revision=None, **outcome)
        keep_responses(connection, "assistant", WINDOW, [response], {None: provenance_id})


@pytest.fixture
def eraser(judged):
    """The database as a member of llmmon_eraser opens it."""
    with judged.transaction() as connection:
        create_login(connection, "test_eraser", "pass", member_of="llmmon_eraser")
    url = make_url(judged.url).set(username="test_eraser", password="pass")
    opened = Database(url.render_as_string(hide_password=False))
    yield opened
    opened.engine.dispose()
