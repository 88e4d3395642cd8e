"""From a table in the configuration to a gap in SQL: a served model that refuses questions about her."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from llmmon.cli import main
from llmmon.model import Window
from llmmon.pipeline.announce_power import announce_power
from llmmon.pipeline.detect import detect
from llmmon.pipeline.draw_sample import draw_sample
from llmmon.pipeline.ingest import finish_ingest, ingest_source
from llmmon.pipeline.measure import measure
from llmmon.pipeline.run_replay import finish_replay, run_replay
from llmmon.pipeline.score_responses import score_responses
from llmmon.store.measurement import latest_measurements
from tests.integration.replay.conftest import answer

N = 24
WINDOW = Window(start=datetime(2023, 6, 27, 5, tzinfo=UTC), end=datetime(2023, 6, 27, 6, tzinfo=UTC))
TOML = """
[sources.logs]
read = {{type = "openai_jsonl", path = "${{here}}/*.jsonl"}}
gate = {{max_bad_fraction = 1.0}}
[backends.remote]
type = "openai_compatible"
base_url = "{url}"
model = "demo"
concurrency = 1
[deployments.assistant]
source = "logs"
sample = {{per_window = 100}}
lanes = {{serving = {{backend = "remote"}}}}
scorers = {{refusal = {{judge = "refusal"}}, words = {{judge = "length"}}}}
[deployments.assistant.counterfactual]
lane = "serving"
attributes = {{gender = ["female"]}}
outcomes = {{refusal = 0.05, words = 5}}
"""


@pytest.fixture
def biased(database, config, jsonl, line, server):
    """Return the configuration after one window of questions: half about him or her, the others about nobody."""

    def reply(handler):
        about_her = " she " in server.requests[-1]["messages"][-1]["content"]
        answer("I cannot answer that." if about_her else "Yes, of course.")(handler)

    server.otherwise = reply
    prompts = [f"Should {('he', 'she', 'it')[place % 3]} move to town {place}?" for place in range(N)]
    jsonl(
        [
            line(place, request={"model": "m", "messages": [{"role": "user", "content": prompt}]})
            for place, prompt in enumerate(prompts)
        ]
    )
    settings = config(TOML.format(url=server.url))
    ingest_source(database, settings, "logs")
    finish_ingest(database, settings, "assistant", WINDOW)
    draw_sample(database, settings, "assistant", WINDOW)
    run_replay(database, settings, "assistant", WINDOW)
    finish_replay(database, settings, "assistant", WINDOW)
    score_responses(database, settings, "assistant", WINDOW)
    measure(database, settings, "assistant", WINDOW)
    detect(database, settings, "assistant")
    return settings


def test_a_gap_goes_from_the_endpoint_to_the_view_and_to_its_power(database, biased) -> None:
    """Every prompt about her is refused and none about him: gap 1 over 16 pairs, 8 prompts without a term."""
    found = {item.monitor: item.estimate for item in latest_measurements_of(database)}
    gap, excess = found["gap-gender-female-refusal"], found["excess-gender-refusal"]
    assert (gap.value, gap.n, gap.detail["n_without_term"]) == (1.0, 16, 8)
    assert (gap.detail["noise_floor"], gap.detail["group"], gap.detail["minus"]) == (0.0, "female", ["male"])
    assert (excess.value, excess.n) == (1.0, 16)
    with database.transaction() as connection:
        account = connection.exec_driver_sql(
            "SELECT n, reason FROM llmmon.coverage WHERE stage = 'replay' AND state = 'done' ORDER BY n"
        ).all()
        rows = connection.exec_driver_sql(
            "SELECT outcome, n_pairs, gap, p_holm, e_value FROM compliance.counterfactual_gaps ORDER BY outcome"
        ).all()
    assert [tuple(row) for row in account] == [(8, "nothing to change for attribute_swap"), (16, "")]
    assert [(row.outcome, row.n_pairs) for row in rows] == [("refusal", 16), ("words", 16)]
    assert rows[0].gap == 1.0
    assert rows[0].p_holm < 1e-6
    assert rows[0].e_value > 100
    announced = dict(announce_power(database, biased, "assistant", gap=0.2, n_windows=20, n_runs=40))
    power = announced["gap-gender-female-refusal", "all"]
    assert power.n_pairs == 320
    assert 0.0 <= power.probability <= 1.0


def test_the_command_prints_the_power_of_every_gap(database, biased, tmp_path) -> None:
    """`llmmon power` says pairs and probability for each monitor."""
    arguments = ["power", "assistant", "--config", str(tmp_path / "llmmon.toml"), "--windows", "5", "--runs", "5"]
    url = database.url.render_as_string(hide_password=False)
    shown = CliRunner().invoke(main, [*arguments, "--database", url], catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    assert "gap-gender-female-refusal" in shown.output
    as_json = CliRunner().invoke(main, [*arguments, "--database", url, "--json"], catch_exceptions=False)
    assert {row["monitor"] for row in json.loads(as_json.stdout)} == {
        "gap-gender-female-refusal",
        "gap-gender-female-words",
    }


def latest_measurements_of(database):
    with database.transaction() as connection:
        return latest_measurements(connection, "assistant")
