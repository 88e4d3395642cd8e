"""Explaining alerts over a real Postgres: planted changes, what is stored, and what cannot be told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from llmmon.cli import main
from llmmon.config import Config
from llmmon.errors import ConfigError, UnknownAlertError
from llmmon.pipeline.explain import explain, explain_waiting
from llmmon.pipeline.explanation import Explanation
from llmmon.store.database import Database
from tests.integration.alarms.changed import HOURS, N_CALM, TOML, Fault

HOSTILE = "x\x1b[2J<script>"


Changed = Callable[[Fault], tuple[Database, Config]]


def _alert(database: Database, monitor: str = "answer-length") -> int:
    with database.transaction() as connection:
        return int(
            connection.exec_driver_sql(
                "SELECT alert_id FROM llmmon.alert WHERE monitor = %(monitor)s", {"monitor": monitor}
            ).scalar_one()
        )


def _explained(found: tuple[Database, Config]) -> Explanation:
    database, config = found
    return explain(database, config, _alert(database))


@pytest.mark.parametrize("fault", ["traffic", "model", "serving noise", "judge"])
def test_a_planted_cause_is_named_and_stored(after_change: Changed, fault: Fault) -> None:
    """Each cause is named from the rows in Postgres, its shares add up, and the row that is stored says the same."""
    database, config = after_change(fault)
    found = explain(database, config, _alert(database))

    assert found.cause == fault, found.statement
    assert found.told.lanes == {"logged": "logged", "serving": "serving", "reference": "reference"}
    attribution = found.told.attribution
    assert attribution is not None
    assert attribution.total.value == pytest.approx(sum(share.value or 0 for share in attribution.shares))
    assert (attribution.n_reference, attribution.n_current) == (N_CALM * 24, 3 * 24)
    assert found.windows["current"] == [window.key for window in HOURS[N_CALM:]]
    assert len(found.requests) == 5
    with database.transaction() as connection:
        (row,) = connection.exec_driver_sql(
            "SELECT cause, shares, n_replays_now, method, is_newest FROM compliance.alert_explanations"
        ).all()
        event = connection.exec_driver_sql("SELECT count(*) FROM audit.trail WHERE event = 'alert.explained'")
        assert event.scalar_one() == 1
    assert (row.cause, row.n_replays_now, row.method, row.is_newest) == (fault, 72, "three_lanes", True)
    assert set(row.shares) == {"traffic", "model", "serving noise", "judge"}


def test_the_segment_that_carries_a_change_of_traffic_is_named(after_change: Changed) -> None:
    """Twice as long answers come from a route that is asked more often; its requests are the ones shown."""
    found = _explained(after_change("traffic"))

    assert found.search is not None
    assert {(item.segment, item.how) for item in found.search.carriers} == {((("route", "code"),), "traffic")} | {
        ((("route", "chat"),), "traffic")
    }
    code = next(item for item in found.search.carriers if item.segment == (("route", "code"),))
    assert (round(code.before, 2), round(code.now, 2)) == (0.2, 0.7)


def test_explained_again_nothing_is_added(after_change: Changed) -> None:
    """The same rows give the same explanation, which is stored once; a waiting alert is explained once."""
    database, config = after_change("model")

    first = explain_waiting(database, config, "assistant")
    again = explain(database, config, _alert(database))

    assert _alert(database) in first
    assert again.explanation_id is None
    assert explain_waiting(database, config, "assistant") == []


def test_without_replays_the_missing_lanes_are_named(after_change: Changed) -> None:
    """With no replay at all no cause is made up: the notes say which lanes would tell."""
    database, config = after_change("model")
    with database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM llmmon.response")

    found = explain(database, config, _alert(database))

    assert found.cause is None
    assert any("lanes.reference" in note for note in found.told.notes)
    assert any("lanes.serving" in note for note in found.told.notes)
    assert "cannot be told" in found.statement


def test_a_drift_of_the_mix_is_traffic_and_shows_requests(after_change: Changed) -> None:
    """A change of the mix of routes is traffic by what it is; shown are requests of the route that grew."""
    database, config = after_change("traffic")

    found = explain(database, config, _alert(database, "route-mix"))

    assert (found.cause, found.reading, found.search) == ("traffic", None, None)
    with database.transaction() as connection:
        keys = [item["request_key"] for item in found.requests]
        routes = connection.exec_driver_sql(
            "SELECT DISTINCT route FROM llmmon.request_log WHERE request_key = ANY (%(keys)s)", {"keys": keys}
        ).scalars()
        assert (len(keys), list(routes)) == (5, ["code"])


def test_the_verb_prints_it_for_people_and_for_scripts(
    after_change: Changed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text and JSON tell the same cause; no text of a request is in either, and log content cannot drive a terminal."""
    database, _ = after_change("model")
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE llmmon.alert SET sentence = %(text)s", {"text": HOSTILE})
    (tmp_path / "llmmon.toml").write_text(TOML, "utf-8")
    monkeypatch.setenv("LLMMON_DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("LLMMON_CONFIG", str(tmp_path / "llmmon.toml"))
    alert_id = str(_alert(database))

    text = CliRunner().invoke(main, ["explain", alert_id])
    document = CliRunner().invoke(main, ["explain", alert_id, "--json"])

    assert (text.exit_code, document.exit_code) == (0, 0), text.output + document.output
    assert "Most of it comes from model" in text.stdout
    for heading in ("Value before and now", "Segments that carry it", "What it comes from", "What to do next"):
        assert heading in text.stdout
    assert "\x1b" not in text.stdout
    assert "word word" not in text.stdout + document.stdout
    assert json.loads(document.stdout)["told"]["cause"] == "model"


def test_what_cannot_be_explained_is_told(after_change: Changed) -> None:
    """No such alert, and an alert of a deployment that the configuration does not have any more."""
    database, config = after_change("model")

    with pytest.raises(UnknownAlertError, match="there is no alert 99"):
        explain(database, config, 99)
    other = config.model_copy(update={"deployments": {}})
    with pytest.raises(ConfigError, match="'assistant', which this configuration does not have"):
        explain(database, other, _alert(database))
