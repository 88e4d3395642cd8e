"""A window's sample is replayed, stored and accounted for, whatever dies on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from llmmon.errors import BackendUnavailableError, ConfigError
from llmmon.model import Window
from llmmon.pipeline.draw_sample import SampleResult, draw_sample
from llmmon.pipeline.ingest import finish_ingest, ingest_source
from llmmon.pipeline.run_replay import ReplayAccount, finish_replay, run_replay
from llmmon.store.replay import window_responses, window_samples
from tests.integration.replay.conftest import answer, status

WINDOW = Window.parse("2023-06-27T05:00:00", hours=1)
TOML = """
[sources.logs]
read = {{type = "openai_jsonl", path = "${{here}}/*.jsonl"}}
gate = {{max_bad_fraction = 1.0}}
[backends]
local = {{type = "transformers", model = "{model}", max_new_tokens = 6, device = "cpu"}}
[backends.remote]
type = "openai_compatible"
base_url = "{url}"
model = "demo"
concurrency = 1
breaker_after = 2
max_attempts = 1
[deployments.assistant]
source = "logs"
sample = {{per_window = {per_window}, strata = ["route", "group.age"]}}
{lanes}
"""
REFERENCE = """[deployments.assistant.lanes.reference]
backend = "local"
variants = ["as_logged", {type = "repeat", k = 2}, {type = "attribute_swap", attribute = "age"}, "typo"]
"""
SERVING = """[deployments.assistant.lanes.serving]
backend = "remote"
"""


@pytest.fixture
def setting(config, tiny_model, server, jsonl, line):
    """Return a factory of configurations over twenty logged requests, two of them about a grandfather."""
    prompt = "Was the grandfather comfortable using the phone?"
    about_age = {"request": {"model": "gpt-4", "messages": [{"role": "user", "content": prompt}]}}
    jsonl(
        [line(index, **(about_age if index in (3, 11) else {}), groups={"age": "ab"[index % 2]}) for index in range(20)]
    )

    def make(lanes=REFERENCE, per_window=6, url=None):
        return config(TOML.format(model=tiny_model, url=url or server.url, lanes=lanes, per_window=per_window))

    return make


def load(database, settings):
    ingest_source(database, settings, "logs")
    finish_ingest(database, settings, "assistant", WINDOW)
    draw_sample(database, settings, "assistant", WINDOW)


def rows(database):
    with database.transaction() as connection:
        return [
            (
                row.request_key,
                row.lane,
                row.variant,
                row.repeat,
                row.state,
                row.reason,
                texts.response_text,
                row.mean_logprob,
            )
            for row, texts in window_responses(connection, "assistant", WINDOW)
        ]


def coverage(database, stage):
    with database.transaction() as connection:
        return connection.exec_driver_sql(
            "SELECT state, reason, n, probability FROM llmmon.coverage WHERE stage = %s ORDER BY state, reason",
            (stage,),
        ).all()


def events(database):
    with database.transaction() as connection:
        return connection.exec_driver_sql("SELECT event, detail FROM audit.trail ORDER BY event_id").all()


def test_the_same_sample_is_drawn_twice_and_its_account_closes(database, setting):
    """Drawing again changes nothing; six of twenty are done, fourteen sampled out with probability 0.3."""
    settings = setting()
    load(database, settings)
    with database.transaction() as connection:
        before = window_samples(connection, "assistant", WINDOW)
    result = draw_sample(database, settings, "assistant", WINDOW)
    assert result == SampleResult(n_requests=20, n_sampled=6, n_strata=2, n_forgotten=0)
    with database.transaction() as connection:
        assert window_samples(connection, "assistant", WINDOW) == before
    assert {sample.stratum for sample in before} == {"primes|a", "primes|b"}
    assert [sample.probability for sample in before] == [0.3] * 6
    assert [tuple(row) for row in coverage(database, "sample")] == [("done", "", 6, 0.3), ("sampled_out", "", 14, 0.3)]


def test_a_window_is_replayed_on_every_variant_and_closed(database, setting):
    """Each sample is replayed as logged, twice repeated, mistyped, and swapped where an age is named."""
    settings = setting(per_window=20)
    load(database, settings)
    result = run_replay(database, settings, "assistant", WINDOW)
    stored = rows(database)
    assert (result.n_samples, result.n_items, result.n_done, result.n_failed) == (20, 82, 82, 0)
    kinds = [(row[2], row[3]) for row in stored]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        ("as_logged", 0): 20,
        ("repeat", 0): 20,
        ("repeat", 1): 20,
        ("typo", 0): 20,
        ("attribute_swap", 0): 2,
    }
    assert all(row[4] == "done" for row in stored)
    with database.transaction() as connection:
        found = window_responses(connection, "assistant", WINDOW)
        swapped = [texts for row, texts in found if row.variant == "attribute_swap"]
        made = connection.exec_driver_sql("SELECT plugin, model_revision, parameters FROM llmmon.provenance").all()
    assert [turn.content for turn in swapped[0].messages] == ["Was the grandson comfortable using the phone?"]
    assert swapped[0].terms == ({"rule": "kinship", "from": "grandfather", "to": "grandson", "message": 0, "start": 8},)
    assert [(row.plugin, row.model_revision[:7], row.parameters["max_new_tokens"]) for row in made] == [
        ("transformers", "sha256:", 6)
    ]
    account = finish_replay(database, settings, "assistant", WINDOW)
    assert account == ReplayAccount(n_done=20, n_failed=0, n_pending=0, n_sampled_out=0)
    assert [tuple(row) for row in coverage(database, "replay")] == [
        ("done", "", 2, None), ("done", "nothing to change for attribute_swap", 18, None),
    ]  # fmt: skip
    told = [(row.event, row.detail) for row in events(database) if row.event.startswith(("responses", "replay"))]
    assert [name for name, _ in told] == ["responses.stored"] * 3 + ["replay.finished"]
    assert sum(detail["n_done"] for name, detail in told[:3]) == 82


def test_running_again_runs_nothing_again(database, setting):
    """A second run skips all that is done and leaves every row as it is."""
    settings = setting()
    load(database, settings)
    run_replay(database, settings, "assistant", WINDOW)
    before = rows(database)
    again = run_replay(database, settings, "assistant", WINDOW)
    assert (again.n_skipped, again.n_done) == (again.n_items, 0)
    assert rows(database) == before


def test_a_failed_replay_is_tried_again_and_an_answer_is_kept(database, setting, server):
    """A request that failed is failed in the account with its reason; the next run answers it and only it."""
    settings = setting(SERVING)
    load(database, settings)
    server.replies = [answer("one"), status(400), answer("three")]
    result = run_replay(database, settings, "assistant", WINDOW)
    assert (result.n_done, result.n_failed) == (5, 1)
    finish_replay(database, settings, "assistant", WINDOW)
    assert [tuple(row)[:3] for row in coverage(database, "replay")] == [
        ("done", "", 5), ("failed", "http_400", 1), ("sampled_out", "", 14),
    ]  # fmt: skip
    again = run_replay(database, settings, "assistant", WINDOW)
    assert (again.n_skipped, again.n_done, again.n_failed) == (5, 1, 0)
    assert len(server.requests) == 7
    account = finish_replay(database, settings, "assistant", WINDOW)
    assert account == ReplayAccount(n_done=6, n_failed=0, n_pending=0, n_sampled_out=14)


def test_a_lane_that_cannot_run_leaves_the_others_alone_and_is_told(database, setting):
    """With the endpoint down the local lane is done, the serving items are failed rows, and the call raises."""
    settings = setting(SERVING + REFERENCE, url="http://127.0.0.1:9/v1")
    load(database, settings)
    with pytest.raises(BackendUnavailableError, match=r"127\.0\.0\.1:9/v1"):
        run_replay(database, settings, "assistant", WINDOW)
    states = {(row[1], row[4], row[5]) for row in rows(database)}
    assert states == {
        ("reference", "done", None), ("serving", "failed", "unreachable"), ("serving", "failed", "breaker_open"),
    }  # fmt: skip
    account = finish_replay(database, settings, "assistant", WINDOW)
    assert account == ReplayAccount(n_done=0, n_failed=6, n_pending=0, n_sampled_out=14)


def test_a_model_that_is_not_there_fails_its_items_with_that_reason(database, setting, tmp_path):
    """A missing model is a reason on every item and an error that names the setting; nothing else is tried."""
    settings = setting()
    load(database, settings)
    missing = setting().model_copy(
        update={"backends": {"local": settings.backends["local"].model_copy(
            update={"parameters": {"model": str(tmp_path / "nowhere")}})}}
    )  # fmt: skip
    from llmmon.errors import ModelNotFoundError

    with pytest.raises(ModelNotFoundError, match="nowhere"):
        run_replay(database, missing, "assistant", WINDOW)
    assert {(row[4], row[5]) for row in rows(database)} == {("failed", "model_not_found")}


def test_an_account_without_a_lane_or_a_sample_closes_too(database, setting):
    """Without a lane everything is sampled out with that reason; without a sample everything is pending."""
    settings = setting("")
    load(database, settings)
    run_replay(database, settings, "assistant", WINDOW)
    finish_replay(database, settings, "assistant", WINDOW)
    assert [tuple(row) for row in coverage(database, "replay")] == [
        ("sampled_out", "no replay lane configured", 20, None)
    ]


def test_a_window_that_was_not_sampled_is_pending(database, setting):
    """Replaying before sampling replays nothing and says so."""
    settings = setting()
    ingest_source(database, settings, "logs")
    account = finish_replay(database, settings, "assistant", WINDOW)
    assert account == ReplayAccount(n_done=0, n_failed=0, n_pending=20, n_sampled_out=0)
    assert [tuple(row) for row in coverage(database, "replay")] == [("pending", "sample not drawn", 20, None)]


def test_an_interrupted_replay_is_pending_until_it_is_finished(database, setting):
    """After one of two lanes the sampled requests are pending; an unknown lane is named with those there are."""
    settings = setting(SERVING + REFERENCE)
    load(database, settings)
    run_replay(database, settings, "assistant", WINDOW, lanes=["serving"])
    account = finish_replay(database, settings, "assistant", WINDOW)
    assert account == ReplayAccount(n_done=0, n_failed=0, n_pending=6, n_sampled_out=14)
    with pytest.raises(ConfigError, match="no 'shadow'; there are: serving, reference"):
        run_replay(database, settings, "assistant", WINDOW, lanes=["shadow"])


def test_late_rows_move_the_sample_and_take_its_replays_along(database, setting, jsonl, line):
    """The sample after late rows is the one a fresh draw would give; what fell out of it leaves no response behind."""
    settings = setting(SERVING)
    load(database, settings)
    run_replay(database, settings, "assistant", WINDOW)
    jsonl([line(index, groups={"age": "ab"[index % 2]}) for index in range(20, 200)], name="late.jsonl")
    ingest_source(database, settings, "logs")
    result = draw_sample(database, settings, "assistant", WINDOW)
    assert result.n_forgotten > 0
    with database.transaction() as connection:
        samples = window_samples(connection, "assistant", WINDOW)
    assert {sample.probability for sample in samples} == {0.03}
    assert {row[0] for row in rows(database)} <= {sample.request_key for sample in samples}
    run_replay(database, settings, "assistant", WINDOW)
    account = finish_replay(database, settings, "assistant", WINDOW)
    assert account == ReplayAccount(n_done=6, n_failed=0, n_pending=0, n_sampled_out=194)


def test_a_replay_killed_in_the_middle_resumes_to_the_same_rows(database, database_url, setting, server):
    """kill -9 in the middle of a chunk loses at most that chunk; the resumed rows are those of an undisturbed run."""
    settings = setting(SERVING, per_window=20)
    load(database, settings)
    script = (
        "import sys, pathlib, llmmon.pipeline.lane_run as lane, llmmon.pipeline.run_replay as replay\n"
        "from llmmon.config import load_config\n"
        "from llmmon.model import Window\n"
        "from llmmon.store.database import Database\n"
        "lane.CHUNK_ROWS = 3\n"
        "config = load_config(pathlib.Path(sys.argv[1]))\n"
        "window = Window.parse('2023-06-27T05:00:00', hours=1)\n"
        "replay.run_replay(Database(sys.argv[2]), config, 'assistant', window)\n"
    )
    path = settings.sources["logs"].read.parameters["path"].replace("*.jsonl", "llmmon.toml")
    server.otherwise = lambda handler: (time.sleep(0.1), answer("the same")(handler))
    worker = subprocess.Popen([sys.executable, "-c", script, path, database_url])
    while not rows(database) and worker.poll() is None:
        time.sleep(0.02)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    kept = rows(database)
    assert 0 < len(kept) < 20
    server.otherwise = answer("the same")
    result = run_replay(database, settings, "assistant", WINDOW)
    assert (result.n_skipped, result.n_done) == (len(kept), 20 - len(kept))
    resumed = rows(database)
    assert set(kept) <= set(resumed)
    assert len(resumed) == 20
    assert {row[4:7] for row in resumed} == {("done", None, "the same")}
    assert finish_replay(database, settings, "assistant", WINDOW).n_done == 20


def test_requests_without_messages_are_accounted_for_and_not_sent(database, config, server, jsonl):
    """A log may withhold texts: nothing of it reaches an endpoint, and the account says why."""
    said = [{"role": "user", "content": "Is 17 a prime number?"}]
    jsonl(
        [
            {"id": f"r{index}", "startTime": f"2023-06-27T05:00:0{index}", "model": "gpt-4", "messages": messages}
            for index, messages in enumerate([said, {}, said, {}, said, {}, {}])
        ]
    )
    text = TOML.format(model="unused", url=server.url, lanes=SERVING, per_window=100)
    text = text.replace('"openai_jsonl", ', '"litellm_jsonl", deployment = "assistant", ')
    settings = config(text.replace("gate = {", "gate = {max_null_fraction = {}, "))
    load(database, settings)
    result = run_replay(database, settings, "assistant", WINDOW)
    assert (result.n_samples, result.n_items, result.n_done) == (7, 3, 3)
    account = finish_replay(database, settings, "assistant", WINDOW)
    assert account == ReplayAccount(n_done=3, n_failed=0, n_pending=0, n_sampled_out=4)
    assert coverage(database, "replay") == [
        ("done", "", 3, None),
        ("sampled_out", "nothing to replay: no messages are stored", 4, None),
    ]
    assert len(server.requests) == 3
