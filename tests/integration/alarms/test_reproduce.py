"""An alert's numbers computed again from the stored windows: bit-equal, or with what differs and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from llmmon.cli import main
from llmmon.config import Config
from llmmon.pipeline.ingest import ingest_source
from llmmon.pipeline.reproduce import Check, Reproduction, reproduce
from llmmon.store.database import Database
from tests.conftest import make_line
from tests.integration.alarms.changed import TOML, Fault

Changed = Callable[[Fault], tuple[Database, Config]]


def _ids(database: Database) -> dict[str, int]:
    with database.transaction() as connection:
        return {
            row.monitor: row.alert_id
            for row in connection.exec_driver_sql("SELECT monitor, alert_id FROM llmmon.alert ORDER BY alert_id")
        }


def _check(found: Reproduction, name: str) -> Check:
    return next(check for check in found.checks if check.name == name)


def _change(database: Database, statement: str) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql(statement)


def test_every_alert_comes_out_again_bit_by_bit(after_change: Changed) -> None:
    """A mean of scores and a distance to the stored reference: every step of both gives the stored numbers."""
    database, config = after_change("traffic")
    alerts = _ids(database)
    assert set(alerts) == {"answer-length", "route-mix"}

    for alert_id in alerts.values():
        found = reproduce(database, config, alert_id)
        assert found.is_equal, [(check.name, check.differs, check.reasons) for check in found.checks]
    names = [check.name for check in reproduce(database, config, alerts["route-mix"]).checks]
    assert names == ["reference", "measurement", "evidence", "threshold"]


def test_it_uses_the_settings_that_made_the_number(after_change: Changed) -> None:
    """Under another configuration the stored settings are taken; without them the step says so and is not guessed."""
    database, config = after_change("model")
    other = config.model_copy(update={"digest": "other", "deployments": {}})
    alert_id = _ids(database)["answer-length"]

    assert reproduce(database, other, alert_id).is_equal
    _change(database, "DELETE FROM llmmon.deployment_settings")
    found = reproduce(database, other, alert_id)

    check = _check(found, "measurement")
    assert (check.computed, found.is_accounted_for) == (None, True)
    assert "was not written down" in check.reasons[0]


def test_a_number_that_was_tampered_with_is_not_accounted_for(after_change: Changed) -> None:
    """A changed value in the measurement differs and nothing says why."""
    database, config = after_change("model")
    _change(database, "UPDATE llmmon.measurement SET low = low - 1 WHERE measurement_id = (SELECT measurement_id"
            " FROM llmmon.alert WHERE monitor = 'answer-length')")  # fmt: skip

    found = reproduce(database, config, _ids(database)["answer-length"])

    check = _check(found, "measurement")
    assert (check.differs, check.reasons) == (("low",), ())
    assert not found.is_accounted_for


def test_rows_that_came_later_are_left_out_and_named(after_change: Changed, tmp_path: Path) -> None:
    """A late request changes the window; over the rows known then the numbers are still the same."""
    database, config = after_change("model")
    with database.transaction() as connection:
        moment = connection.exec_driver_sql(
            "SELECT window_start FROM llmmon.alert WHERE monitor = 'answer-length'"
        ).scalar_one()
    late = make_line(9999, timestamp=moment.isoformat().replace("+00:00", "Z"), route="chat", latency_ms=1.0)
    (tmp_path / "late.jsonl").write_text(json.dumps(late) + "\n", "utf-8")
    source = config.sources["logs"].read.model_copy(update={"parameters": {"path": str(tmp_path / "*.jsonl")}})
    moved = config.model_copy(update={"sources": {"logs": config.sources["logs"].model_copy(update={"read": source})}})
    ingest_source(database, moved, "logs")

    found = reproduce(database, config, _ids(database)["answer-length"])

    check = _check(found, "measurement")
    assert check.is_equal
    assert any("loaded later" in reason for reason in check.reasons)


def test_rows_past_retention_are_named(after_change: Changed) -> None:
    """When the day's rows are gone the measurement cannot be equal, and the reason is retention."""
    database, config = after_change("model")
    _change(database, "SELECT llmmon.drop_day_partition('2023-06-27')")
    _change(database, "DELETE FROM llmmon.score")

    found = reproduce(database, config, _ids(database)["answer-length"])

    assert not found.is_equal
    assert found.is_accounted_for
    assert any("past retention" in reason for reason in _check(found, "measurement").reasons)
    assert _check(found, "evidence").is_equal
    assert _check(found, "threshold").is_equal


@pytest.mark.parametrize(
    ("tampered", "code", "word"), [(False, 0, "bit by bit the same"), (True, 11, "nothing stored")]
)
def test_the_verb_fails_only_without_a_cause(
    after_change: Changed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tampered: bool, code: int, word: str
) -> None:
    """Exit code 0 when equal, 11 when a stored number was changed; both as text and as JSON."""
    database, _ = after_change("model")
    if tampered:
        _change(database, "UPDATE llmmon.alert SET e_value = e_value + 1")
    (tmp_path / "llmmon.toml").write_text(TOML, "utf-8")
    monkeypatch.setenv("LLMMON_DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("LLMMON_CONFIG", str(tmp_path / "llmmon.toml"))
    alert_id = str(_ids(database)["answer-length"])

    text = CliRunner().invoke(main, ["reproduce", alert_id])
    document = CliRunner().invoke(main, ["reproduce", alert_id, "--json"])

    assert (text.exit_code, document.exit_code) == (code, code), text.output
    assert word in text.stdout
    assert json.loads(document.stdout)["is_equal"] is not tampered
