"""The sentinel's probes are sent on schedule, stored with what they cost, and compared."""

from __future__ import annotations

from datetime import timedelta

import pytest
from click.testing import CliRunner

from llmmon.cli import main
from llmmon.errors import BackendUnavailableError, ConfigError
from llmmon.model import Window
from llmmon.pipeline.ingest import finish_ingest, ingest_source
from llmmon.pipeline.maintain import maintain
from llmmon.pipeline.measure import measure
from llmmon.pipeline.probe_endpoint import probe_endpoint
from llmmon.store.measurement import latest_measurements
from tests.integration.replay.conftest import answer, status

WINDOW = Window.parse("2023-06-27T05:00:00", hours=1)
NOW = WINDOW.end + timedelta(minutes=10)
TOML = """
[sources.logs]
read = {{type = "openai_jsonl", path = "${{here}}/*.jsonl"}}
gate = {{max_bad_fraction = 1.0}}
[backends]
local = {{type = "transformers", model = "{model}", device = "cpu"}}
remote = {{type = "openai_compatible", base_url = "{url}", model = "demo", max_attempts = 1, concurrency = 1}}
[deployments.assistant]
source = "logs"
reference_windows = 3
[deployments.assistant.sentinel]
backend = "remote"
samples = 2
max_tokens = 4
prompts = "${{here}}/probes.toml"
usd_per_million_tokens = {{input = 100, output = 1000}}
{more}
"""
PROMPTS = """
[[prompts]]
name = "door"
text = "The old man opened the door and"
[[prompts]]
name = "rain"
system = "Be brief."
text = "Write about rain."
"""
REFERENCE = 'reference = "local"\n'
MONITORS = """
[deployments.assistant.monitors.answers]
metric = {type = "probe_mmd", min_prompts = 2}
min_effect = 0.05
[deployments.assistant.monitors.logprobs]
metric = {type = "probe_logprob_gap", min_prompts = 2}
min_effect = 0.05
"""


@pytest.fixture
def setting(config, tiny_model, server, tmp_path):
    """Return a factory of configurations with two prompts, asked twice each."""
    (tmp_path / "probes.toml").write_text(PROMPTS, "utf-8")

    def make(more="", url=None):
        return config(TOML.format(model=tiny_model, url=url or server.url, more=more))

    return make


def rows(database, columns="lane, split_part(prompt, '@', 1), repeat, state, reason, answer"):
    with database.transaction() as connection:
        found = connection.exec_driver_sql(
            f"SELECT {columns} FROM llmmon.probe ORDER BY window_start, lane, prompt, repeat"
        )
        return [tuple(row) for row in found.all()]


def test_probes_are_asked_as_configured_and_paid_for(database, setting, server):
    """Two prompts are asked twice, with system prompt, seed, temperature and length, and cost what they cost."""
    settings = setting()
    result = probe_endpoint(database, settings, "assistant", WINDOW, now=NOW)
    assert (result.n_probes, result.n_done, result.n_failed, result.n_skipped) == (4, 4, 0, 0)
    # 11 tokens in and 3 out for each, as the server says: 4 x (11 x 100 + 3 x 1000) / 1e6 an hour
    assert (result.n_input_tokens, result.n_output_tokens, result.tokens_per_day) == (44, 12, 56 * 24)
    assert (result.cost_usd, result.usd_per_day) == pytest.approx((0.0164, 0.3936))
    asked = server.requests
    assert sorted(len(request["messages"]) for request in asked) == [1, 1, 2, 2]
    assert {(request["temperature"], request["max_tokens"], request["top_logprobs"]) for request in asked} == {
        (1, 4, 5)
    }
    assert len({request["seed"] for request in asked}) == 4
    assert [row[:4] for row in rows(database)] == [
        ("endpoint", name, repeat, "done") for name in ("door", "rain") for repeat in (0, 1)
    ]
    with database.transaction() as connection:
        told = connection.exec_driver_sql("SELECT detail FROM audit.trail WHERE event = 'endpoint.probed'").scalar()
    assert (told["n_done"], told["usd_per_day"]) == (4, pytest.approx(0.3936))


def test_what_is_answered_is_not_asked_again_and_a_failure_is(database, setting, server):
    """A failed probe is a row with its reason, not an empty answer; the next run asks it, and only it, again."""
    server.replies = [answer("one"), status(400), answer("three"), answer("four")]
    result = probe_endpoint(database, setting(), "assistant", WINDOW, now=NOW)
    assert (result.n_done, result.n_failed) == (3, 1)
    assert sorted(row[3:5] for row in rows(database) if row[4]) == [("failed", "http_400")]
    before = [row for row in rows(database) if row[3] == "done"]
    again = probe_endpoint(database, setting(), "assistant", WINDOW, now=NOW)
    assert (again.n_skipped, again.n_done, again.n_failed) == (3, 1, 0)
    assert len(server.requests) == 5
    assert set(before) < set(rows(database))
    assert probe_endpoint(database, setting(), "assistant", WINDOW, now=NOW).n_skipped == 4


def test_a_lane_that_cannot_run_leaves_the_other_its_turn(database, setting):
    """With the endpoint down its probes are stored as failed, the reference is asked, and the call raises."""
    settings = setting(REFERENCE, url="http://127.0.0.1:9/v1")
    with pytest.raises(BackendUnavailableError, match=r"127\.0\.0\.1:9/v1"):
        probe_endpoint(database, settings, "assistant", WINDOW, now=NOW)
    states = [(row[0], row[3]) for row in rows(database)]
    assert states == [("endpoint", "failed")] * 4 + [("reference", "done")] * 4


def test_the_reference_has_no_price_and_says_so(database, setting):
    """Without a price there is no cost, which is not a cost of nothing; log-probabilities and lengths are kept."""
    result = probe_endpoint(database, setting(REFERENCE), "assistant", WINDOW, now=NOW, lanes=["reference"])
    assert (result.n_done, result.cost_usd, result.usd_per_day) == (4, None, None)
    assert result.reason == "no cost: 4 of 4 answers without price or tokens"
    stored = rows(database, "n_output_tokens, first_logprobs, cost_usd")
    assert all(tokens <= 4 and len(logprobs) == 5 and cost is None for tokens, logprobs, cost in stored)
    assert all(value <= 0 for _, logprobs, _ in stored for value in logprobs.values())


def test_probes_are_sent_when_they_are_due_and_not_for_the_past(database, setting, server):
    """Every second hour, and never for a window so old that another model may have answered then."""
    odd = Window(start=WINDOW.end, end=WINDOW.end + timedelta(hours=1))
    settings = setting("every_hours = 2")
    assert probe_endpoint(database, settings, "assistant", WINDOW, now=NOW).reason == "probes are sent every 2 hours"
    assert probe_endpoint(database, settings, "assistant", odd, now=odd.end).n_done == 4
    late = probe_endpoint(database, setting(), "assistant", WINDOW, now=WINDOW.end + timedelta(hours=25))
    assert late.reason == "the window ended more than max_late_hours = 24 ago"
    assert len(server.requests) == 4


def test_a_prompt_that_is_asked_otherwise_is_another_prompt(database, setting, tmp_path):
    """A changed text or temperature keeps old answers apart: no change of ours looks like the endpoint's."""
    probe_endpoint(database, setting(), "assistant", WINDOW, now=NOW)
    probe_endpoint(database, setting("temperature = 0.5"), "assistant", WINDOW, now=NOW)
    (tmp_path / "probes.toml").write_text(PROMPTS.replace("about rain", "about snow"), "utf-8")
    probe_endpoint(database, setting(), "assistant", WINDOW, now=NOW)
    asked = {prompt for (prompt,) in rows(database, "prompt")}
    assert sorted(prompt.split("@")[0] for prompt in asked) == ["door", "door", "rain", "rain", "rain"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", r"probes\.toml: prompts: .*expected \[\[prompts\]\] with name, text"),
        ('[[prompts]]\nname = "a"\n', r"prompts\.0\.text"),
        ('[[prompts]]\nname = "a"\ntext = "x"\n' * 2, "two prompts are called 'a'"),
        ("= 3", "cannot be read"),
    ],
)
def test_a_bad_file_of_prompts_is_told_before_anything_is_sent(database, setting, server, tmp_path, text, told):
    """The error names the deployment, the file and what was expected."""
    settings = setting()
    (tmp_path / "probes.toml").write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=r"deployments\.assistant\.sentinel\.prompts: .*" + told):
        probe_endpoint(database, settings, "assistant", WINDOW, now=NOW)
    assert not server.requests


def test_the_schedule_fits_the_windows(setting):
    """A sentinel that is due between two windows would never be due."""
    with pytest.raises(
        ConfigError, match=r"sentinel\.every_hours: expected a multiple of window_hours \(1\), got 1\.5"
    ):
        setting("every_hours = 1.5")


def test_probes_reach_their_metrics_and_late_ones_make_the_window_due_again(database, setting, server, jsonl, line):
    """Of five windows the last is answered otherwise, which shows; late probes mark their window dirty."""
    jsonl([line(minute * 60, timestamp=f"2023-06-27T{5 + minute // 2:02}:{minute % 2:02}:00Z") for minute in range(10)])
    settings = setting(MONITORS)
    ingest_source(database, settings, "logs")
    windows = list(Window(start=WINDOW.start, end=WINDOW.start + timedelta(hours=5)).split(timedelta(hours=1)))
    for window in windows:
        server.otherwise = (
            answer("He", " went", " in.") if window != windows[-1] else answer("Never", " again", " that.")
        )
        if window != windows[3]:
            probe_endpoint(database, settings, "assistant", window, now=window.end)
    for window in windows:
        finish_ingest(database, settings, "assistant", window)
        with database.transaction() as connection:
            for stage in ("sample", "replay", "score"):
                connection.exec_driver_sql(
                    "INSERT INTO llmmon.window_stage (deployment, window_start, window_end, stage, state, n_requests)"
                    " VALUES ('assistant', %s, %s, %s, 'done', 2)",
                    (window.start, window.end, stage),
                )
    for window in windows:
        measure(database, settings, "assistant", window)
    found = measured(database, "answers")
    assert [found[window].value for window in windows] == [0.0, 0.0, 0.0, None, pytest.approx(1.2)]
    assert found[windows[3]].reason == "no probe was sent on lane 'endpoint' in this window"
    assert found[windows[4]].detail["n_reference"] == 12
    assert {item.reason for item in measured(database, "logprobs").values() if item.n} == {
        "lane 'endpoint' tells no log-probabilities; use probe_mmd"
    }
    server.otherwise = answer("He", " went", " in.")
    probe_endpoint(database, settings, "assistant", windows[3], now=windows[3].end)
    with database.transaction() as connection:
        due = connection.exec_driver_sql(
            "SELECT DISTINCT window_start, reason FROM llmmon.window_stage WHERE state = 'dirty'"
        ).all()
    assert [tuple(row) for row in due] == [(windows[3].start, "probes came late")]
    measure(database, settings, "assistant", windows[3])
    assert measured(database, "answers")[windows[3]].value == 0.0


def measured(database, monitor):
    with database.transaction() as connection:
        found = latest_measurements(connection, "assistant")
    return {item.window: item.estimate for item in found if item.monitor == monitor}


def test_probes_go_with_the_requests_of_their_day(database, setting):
    """Answers are kept as long as request logs."""
    settings = setting()
    probe_endpoint(database, settings, "assistant", WINDOW, now=NOW)
    assert maintain(database, settings, now=WINDOW.start + timedelta(days=365)).n_probes_removed == 0
    assert maintain(database, settings, now=WINDOW.start + timedelta(days=366)).n_probes_removed == 4
    assert rows(database) == []


def test_the_verb_prints_what_a_day_costs(database, setting, tmp_path):
    """`llmmon probe` says what was sent and what the schedule comes to; a deployment without a sentinel is an error."""
    setting("max_late_hours = 1000000")
    url = database.url.render_as_string(hide_password=False)
    arguments = ["--window", "2023-06-27T05:00", "--config", str(tmp_path / "llmmon.toml"), "--database", url]
    ran = CliRunner().invoke(main, ["probe", "assistant", *arguments])
    assert ran.exit_code == 0, ran.output
    assert "4 probes: 4 answered, 0 failed, 0 before; 1,344 tokens and 0.3936 USD a day" in ran.output
    (tmp_path / "llmmon.toml").write_text(
        '[sources.logs]\nread = {type = "openai_jsonl", path = "x"}\n[deployments.a]\nsource = "logs"\n'
    )
    ran = CliRunner().invoke(main, ["probe", "a", *arguments])
    assert ran.exit_code == 2
    assert "no [deployments.a.sentinel]; docs/sentinel.md shows one" in ran.output
