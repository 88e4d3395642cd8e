"""The command line over a real Postgres, as the writer and the auditor use it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.engine import make_url

from llmmon.cli import main
from llmmon.store.database import Database
from llmmon.store.roles import create_login
from tests.conftest import EPOCH, make_line

TOML = """
[sources.logs]
read = {type = "openai_jsonl", path = "${here}/*.jsonl"}
[channels]
note = "log"
[deployments.assistant]
source = "logs"
reference_windows = 4
sample = {per_window = 5, strata = ["route"]}
[deployments.assistant.scorers]
words = {judge = "length"}
refusal = {judge = "refusal"}
[deployments.assistant.monitors.answer-length]
metric = {type = "score_mean", scorer = "words"}
segments = ["route"]
min_effect = 5
[deployments.assistant.monitors.refusal-rate]
metric = {type = "score_mean", scorer = "refusal"}
min_effect = 0.2
"""
LONG = "That is a good question, and the answer needs a few words of explanation before it can be given"


@pytest.fixture
def run(tmp_path: Path, database_url: str) -> Callable[..., Result]:
    """Return the command, set up as the writer of a database with eight hours of logs; answers shrink after six."""
    lines = []
    for hour in range(8):
        for index in range(20):
            moment = EPOCH + timedelta(hours=hour, minutes=3 * index)
            answer = LONG + " indeed" * ((index * 7 + hour * 3) % 9) if hour < 6 else "No."
            response = {"choices": [{"message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}]}
            lines.append(
                make_line(hour * 20 + index, timestamp=moment.isoformat().replace("+00:00", "Z"), response=response)
            )
    (tmp_path / "logs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    (tmp_path / "llmmon.toml").write_text(TOML, "utf-8")
    owner = Database(database_url)
    name = f"writer_{make_url(database_url).database}"
    with owner.transaction() as connection:
        create_login(connection, name, "secret", "llmmon_writer")
    owner.engine.dispose()
    url = make_url(database_url).set(username=name, password="secret").render_as_string(hide_password=False)

    def call(*arguments: str, given: str = url) -> Result:
        environment = {"LLMMON_DATABASE_URL": given, "LLMMON_CONFIG": str(tmp_path / "llmmon.toml")}
        return CliRunner().invoke(main, list(arguments), env=environment)

    return call


def test_run_finds_the_change_and_nothing_twice(run: Callable[..., Result]) -> None:
    """Windows go through every stage as the writer role, the change alerts once, and a second run adds nothing."""
    first = run("run", "--json")
    second = run("run", "--json")

    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    found = json.loads(first.stdout)
    assert found["run"]["ingested"][0]["n_new"] == 160
    assert found["run"]["n_windows"] == 8
    assert {alert["monitor"] for alert in found["alerts"]} == {"answer-length"}
    assert found["run"]["delivered"]["n_sent"] == len(found["alerts"])
    again = json.loads(second.stdout)
    assert again["run"]["ingested"][0]["n_in"] == 0
    assert again["alerts"] == found["alerts"]
    assert again["measurements"] == found["measurements"]


def test_stages_one_by_one_give_what_run_gives(run: Callable[..., Result], tmp_path: Path) -> None:
    """ingest, sample, replay, score, measure, detect and deliver compose to `run`."""
    span = f"{EPOCH:%Y-%m-%dT%H:%M}/{EPOCH + timedelta(hours=8):%Y-%m-%dT%H:%M}"

    assert json.loads(run("ingest", "--json").stdout)[0]["result"]["n_new"] == 160
    for verb in ("sample", "replay", "score", "measure"):
        result = run(verb, "--window", span, "--json")
        assert result.exit_code == 0, result.output
        assert len(json.loads(result.stdout)) == 8
    assert json.loads(run("detect", "--json").stdout)[0]["result"]["n_alerts"] >= 1
    assert run("deliver").exit_code == 0
    coverage = json.loads(run("coverage", "--json").stdout)
    assert coverage
    assert all(row["closes"] for row in coverage)
    told = {(row["stage"], row["n_done"], row["n_sampled_out"], row["sampling_probability"]) for row in coverage}
    assert ("sample", 5, 15, 0.25) in told


def test_looking_changes_nothing(run: Callable[..., Result]) -> None:
    """Views, plug-ins and the audit trail are printed as tables, JSON and CSV."""
    run("run")

    assert "alert_lifecycle" in run("query").stdout
    rows = json.loads(run("query", "alert_lifecycle", "--format", "json").stdout)
    assert rows
    assert run("query", "alert_lifecycle", "--format", "csv").stdout.startswith(",".join(rows[0]))
    assert {"batch.loaded", "alert.opened"} <= {
        row["event"] for row in json.loads(run("audit", "trail", "--json").stdout)
    }
    assert {row["kind"] for row in json.loads(run("plugins", "--json").stdout)} == {
        *("sources", "backends", "variants", "scorers", "metrics", "detectors", "channels", "faults")
    }


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("query", "no_such_view"), 2, "no view 'no_such_view'; there are:"),
        (("measure", "--window", "noon"), 2, "expected 2023-06-27T05:00 for one window"),
        (("measure", "--window", "2023-06-27T05:30"), 2, "05:30 is not on it"),
        (("measure", "--window", "2023-06-27T05:00", "-d", "chat"), 2, "no 'chat'; there are: assistant"),
        (("run", "--source", "absent.jsonl"), 3, "absent.jsonl"),
        (("evaluate", "--scorer", "taste", "--labels", "x"), 2, "no 'taste'; there are:"),
    ],
)
def test_mistakes_are_told_with_an_exit_code(
    run: Callable[..., Result], arguments: tuple[str, ...], code: int, message: str
) -> None:
    """Each mistake has its exit code and says what there is or what was expected."""
    result = run(*arguments)

    assert result.exit_code == code, result.output
    assert message in result.output.replace("\n", " ")


def test_an_unreachable_database_is_one_line(run: Callable[..., Result]) -> None:
    """A wrong URL gives one message that names the database without its password."""
    result = run("coverage", given="postgresql://nobody:hunter2@127.0.0.1:1/none")

    assert result.exit_code == 5
    assert "127.0.0.1:1" in result.output
    assert "hunter2" not in result.output


def test_evaluate_compares_with_labels(run: Callable[..., Result], tmp_path: Path) -> None:
    """Hand-countable labels give hand-counted precision and recall."""
    rows: list[dict[str, Any]] = [
        {"prompt": "p", "response": "I'm sorry, but I can't help with that.", "label": 1},
        {"prompt": "p", "response": "Sure, here it is.", "label": 0},
        {"prompt": "p", "response": "The answer is 7.", "label": 0},
        {"prompt": "p", "response": "The weather is nice today.", "label": 1},
    ]
    labels = tmp_path / "labels.jsonl"
    labels.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")

    result = run("evaluate", "--scorer", "refusal", "--labels", str(labels), "--json")

    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert (figures["n"], figures["prevalence"]) == (4, 0.5)
    assert (figures["precision"], figures["recall"]) == (1.0, 0.5)
