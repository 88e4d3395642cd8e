"""Scoring and measuring windows on a real Postgres."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlalchemy import event

from llmmon.config import Config
from llmmon.errors import ConfigError
from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.model import Estimate, Provenance, ReplayItem, Response, Scorable, Score, Window
from llmmon.pipeline.draw_sample import draw_sample
from llmmon.pipeline.ingest import finish_ingest, ingest_source
from llmmon.pipeline.measure import measure
from llmmon.pipeline.score_responses import score_responses
from llmmon.scorers.base import scorers
from llmmon.store.coverage import is_done
from llmmon.store.database import Database, fetch
from llmmon.store.measurement import latest_measurements
from llmmon.store.provenance import remember
from llmmon.store.replay import keep_responses, window_samples
from llmmon.store.score import replayed_responses

TOML = """
[sources.logs]
read = {type = "openai_jsonl", path = "${here}/*.jsonl*"}
[backends.small]
type = "transformers"
model = "nowhere"
[deployments.assistant]
source = "logs"
reference_windows = 3
active_from = 2023-06-27T05:00:00Z
sample = {per_window = 4}
lanes = {reference = {backend = "small"}}
[deployments.assistant.scorers]
refusal = {judge = "refusal"}
words = {judge = "length", lanes = ["logged", "reference"]}
surprise = {judge = "token_uncertainty", scope = "sample"}
agreement = {judge = "self_consistency", lanes = ["reference"]}
[deployments.assistant.monitors]
refusals = {metric = {type = "score_mean", scorer = "refusal"}, segments = ["route"], min_effect = 0.1}
surprise = {metric = {type = "score_mean", scorer = "surprise"}, min_effect = 0.1}
agreement = {metric = {type = "score_mean", scorer = "agreement", lane = "reference"}, min_effect = 0.1}
p50 = {metric = {type = "latency_quantile", quantile = 0.5}, min_effect = 1}
ks = {metric = {type = "ks_distance", field = "latency_ms"}, min_effect = 0.1}
drift = {metric = "embedding_drift", min_effect = 0.1}
"""
FIVE = Window.parse("2023-06-27T05:00", hours=1)
WINDOWS = [Window(start=FIVE.start + timedelta(hours=i), end=FIVE.end + timedelta(hours=i)) for i in range(5)]


def _lines(line: Callable[..., dict[str, Any]], n_windows: int = 5, per_window: int = 24) -> list[dict[str, Any]]:
    rows = []
    for number, index in itertools.product(range(n_windows), range(per_window)):
        moment = WINDOWS[number].start + timedelta(seconds=100 * index)
        row = line(
            number * 1000 + index,
            timestamp=moment.isoformat(),
            route="primes" if index % 2 else "chat",
            latency_ms=100.0 + index + (500 if number >= 3 else 0),
        )
        if number >= 3:
            row["response"]["choices"][0]["message"]["content"] = "I'm sorry, but I can't help with that."
        rows.append(row)
    return rows


def _replay(database: Database, window: Window) -> None:
    with database.transaction() as connection:
        provenance = remember(
            connection,
            Provenance(kind="backends", plugin="test", parameters={}, code_version="1", config_digest="d"),
        )
        responses = [
            Response(
                item=ReplayItem(
                    sample_id=sample.sample_id,
                    request_key=sample.request_key,
                    lane="reference",
                    variant=variant,
                    repeat=repeat,
                    messages=(),
                    documents=(),
                    parameters={},
                    seed=1,
                ),
                backend="small",
                model="small",
                model_revision=None,
                text=text,
                mean_logprob=-1.0,
                logged_mean_logprob=-2.5,
            )
            for sample in window_samples(connection, "assistant", window)
            for variant, repeat, text in (
                ("as_logged", 0, "one two three"),
                ("repeat", 0, "one two three"),
                ("repeat", 1, "four five six"),
            )
        ]
        keep_responses(connection, "assistant", window, responses, {None: provenance})


def _run(database: Database, config: Config, order: Sequence[Window], *, stages_first: bool = False) -> None:
    def prepare(window: Window) -> None:
        finish_ingest(database, config, "assistant", window)
        draw_sample(database, config, "assistant", window)
        _replay(database, window)
        score_responses(database, config, "assistant", window)

    if stages_first:
        for window in order:
            prepare(window)
    for window in order:
        if not stages_first:
            prepare(window)
        measure(database, config, "assistant", window)


def _table(database: Database) -> list[tuple[Any, ...]]:
    with database.transaction() as connection:
        rows = latest_measurements(connection, "assistant")
        versions = {
            row.measurement_id: row.version
            for row in fetch(connection, "measurement/latest", {"deployment": "assistant"})
        }
    return [(m.monitor, m.segment, m.window, m.estimate, versions[m.measurement_id]) for m in rows]


def _summaries(database: Database) -> list[tuple[Any, ...]]:
    with database.transaction() as connection:
        rows = connection.exec_driver_sql(
            "SELECT monitor, segment, version, n_windows, n_requests, summary"
            " FROM llmmon.reference_summary ORDER BY 1, 2, 3"
        ).all()
    return [tuple(row) for row in rows]


@pytest.fixture
def loaded(
    database: Database, config: Callable[..., Config], jsonl: Callable[..., Path], line: Callable[..., dict[str, Any]]
) -> Config:
    """Five windows of 24 requests; from the fourth on the model refuses and is slow."""
    jsonl(_lines(line))
    made = config(TOML)
    ingest_source(database, made, "logs")
    return made


def test_measures_what_the_windows_hold(database: Database, loaded: Config) -> None:
    """Rates, quantiles, drift and replay scores of a known log come out as worked by hand."""
    _run(database, loaded, WINDOWS)
    found = {
        (monitor, segment, window.start.hour): estimate for monitor, segment, window, estimate, _ in _table(database)
    }
    assert [found["refusals", "all", hour].value for hour in range(5, 10)] == [0, 0, 0, 1, 1]
    assert found["refusals", "route=chat", 8].n == 12
    assert found["p50", "all", 5].value == 111.5
    assert found["ks", "all", 6].value == 0
    assert found["ks", "all", 8].value == 1
    assert found["ks", "all", 6].detail["n_reference"] == 48
    assert found["ks", "all", 8].detail["n_reference"] == 72
    assert found["drift", "all", 8].value > 0.95
    assert found["surprise", "all", 5].value == 2.5
    assert found["surprise", "all", 5].n == 4
    assert found["agreement", "all", 5].value == pytest.approx(1 / 3)


def test_measuring_again_adds_nothing(database: Database, loaded: Config) -> None:
    """A second run of both stages changes no score and no measurement."""
    _run(database, loaded, WINDOWS)
    before = _table(database)
    again = score_responses(database, loaded, "assistant", WINDOWS[0])
    assert (again.n_changed, again.n_requests, again.n_done) == (0, 24, 24)
    assert measure(database, loaded, "assistant", WINDOWS[4]).n_changed == 0
    assert _table(database) == before


@pytest.mark.parametrize(
    ("order", "stages_first"), [((4, 3, 2, 1, 0), False), ((2, 4, 0, 3, 1), False), ((4, 3, 2, 1, 0), True)]
)
def test_the_order_of_windows_does_not_matter(
    database: Database,
    make_database: Callable[[str | None], str],
    template_url: str,
    loaded: Config,
    order: tuple[int, ...],
    stages_first: bool,
) -> None:
    """Windows processed in another order end in the same measurements with the same versions."""
    other = Database(make_database(template_url))
    ingest_source(other, loaded, "logs")
    _run(database, loaded, WINDOWS)
    _run(other, loaded, [WINDOWS[index] for index in order], stages_first=stages_first)
    assert _table(other) == _table(database)
    assert _summaries(other) == _summaries(database)
    assert {version for *_, version in _table(database)} == {1}
    with other.transaction() as connection:
        assert all(is_done(connection, "assistant", window, "measure") for window in WINDOWS)
    other.engine.dispose()


def test_an_incomplete_reference_is_said(database: Database, loaded: Config) -> None:
    """Before the reference windows are judged, metrics that need them are absent with that reason; others are not."""
    _run(database, loaded, WINDOWS[:2])
    found = {(monitor, window.start.hour): estimate for monitor, _, window, estimate, _ in _table(database)}
    assert found["ks", 5].reason == "reference not complete: 1 of 3 reference windows are judged, needs 2 more"
    assert found["p50", 5].value == 111.5


def test_late_rows_in_a_reference_window_reach_its_dependents(
    database: Database, loaded: Config, jsonl: Callable[..., Path], line: Callable[..., dict[str, Any]]
) -> None:
    """After a late row in a reference window the windows compared with it are dirty and get the next version."""
    _run(database, loaded, WINDOWS)
    late = line(999, timestamp="2023-06-27T05:59:59Z", latency_ms=5000.0)
    jsonl([late], name="later.jsonl")
    ingest_source(database, loaded, "logs")
    _run(database, loaded, WINDOWS[:1])
    with database.transaction() as connection:
        dirty = [window for window in WINDOWS if not is_done(connection, "assistant", window, "measure")]
    assert dirty == WINDOWS[1:]
    for window in dirty:
        measure(database, loaded, "assistant", window)
    versions = {(m, w.start.hour): v for m, s, w, _, v in _table(database) if s == "all"}
    assert versions["ks", 8] == 2
    assert versions["p50", 8] == 1


def test_later_windows_need_no_row_of_the_reference(database: Database, loaded: Config) -> None:
    """With the requests and texts of the reference gone, a later window is measured as before, and asks for none."""
    _run(database, loaded, WINDOWS)
    before = _table(database)
    with database.transaction() as connection:
        for table in ("request_payload", "request_log"):
            connection.exec_driver_sql(
                f"DELETE FROM llmmon.{table} WHERE occurred_at < %(start)s", {"start": WINDOWS[3].start}
            )
    asked: list[Any] = []
    event.listen(
        database.engine,
        "before_cursor_execute",
        lambda connection, cursor, statement, parameters, context, many: asked.append((statement, parameters)),
    )
    result = measure(database, loaded, "assistant", WINDOWS[3])
    assert result.n_changed == 0
    assert _table(database) == before
    loads = [parameters["start"] for statement, parameters in asked if "request_payload" in statement]
    assert loads == [WINDOWS[3].start]


def test_a_measurement_names_what_it_was_compared_with(database: Database, loaded: Config) -> None:
    """A window after the reference names the stored summary; the reference windows, compared with each other, none."""
    _run(database, loaded, WINDOWS)
    with database.transaction() as connection:
        rows = connection.exec_driver_sql(
            "SELECT m.window_start, s.monitor, s.n_requests FROM llmmon.measurement AS m"
            " LEFT JOIN llmmon.reference_summary AS s USING (reference_summary_id) WHERE m.monitor = 'ks' ORDER BY 1"
        ).all()
    assert [tuple(row[1:]) for row in rows] == [(None, None)] * 3 + [("ks", 72)] * 2


def test_another_parameter_or_another_judgement_makes_the_summary_anew(
    database: Database,
    loaded: Config,
    config: Callable[..., Config],
    jsonl: Callable[..., Path],
    line: Callable[..., dict[str, Any]],
) -> None:
    """The summary of a changed metric, and of a reference window with a late row, is the next version; others stay."""
    _run(database, loaded, WINDOWS)
    slower = config(TOML.replace('field = "latency_ms"', 'field = "n_output_tokens"'))
    measure(database, slower, "assistant", WINDOWS[4])
    assert [row[:3] for row in _summaries(database)] == [("drift", "all", 1), ("ks", "all", 1), ("ks", "all", 2)]
    jsonl([line(999, timestamp="2023-06-27T05:59:59Z", latency_ms=5000.0)], name="later.jsonl")
    ingest_source(database, slower, "logs")
    _run(database, slower, WINDOWS[:1])
    assert {row[0]: row[2:5] for row in _summaries(database)} == {"drift": (2, 3, 73), "ks": (3, 3, 73)}


def test_the_account_of_scoring_closes(database: Database, config: Callable[..., Config], loaded: Config) -> None:
    """Requests that only a sampling scorer would judge are sampled out, with their probability."""
    text = TOML.replace('refusal = {judge = "refusal"}\n', "").replace(
        'lanes = ["logged", "reference"]', 'lanes = ["reference"]'
    )
    text = "\n".join(row for row in text.splitlines() if not row.startswith("refusals"))
    only = config(text)
    draw_sample(database, only, "assistant", FIVE)
    result = score_responses(database, only, "assistant", FIVE)
    assert (result.n_done, result.n_sampled_out, result.n_failed) == (4, 20, 0)
    with database.transaction() as connection:
        rows = connection.exec_driver_sql(
            "SELECT state, n, probability FROM llmmon.coverage WHERE stage = 'score' ORDER BY state"
        ).all()
    assert [tuple(row) for row in rows] == [("done", 4, None), ("sampled_out", 20, pytest.approx(4 / 24))]


@dataclass(frozen=True, kw_only=True, slots=True)
class BreaksOnThree:
    """A scorer and metric that cannot cope with some data."""

    plugin_name: ClassVar[str] = "breaks"
    unit: ClassVar[str] = "x"
    direction: ClassVar[str] = "neither"
    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    version: ClassVar[int] = 1
    needs_reference: ClassVar[bool] = False

    def score(self, response: Scorable) -> Score:
        """Raise over one answer."""
        if response.text == "No, 3 is not.":
            raise ValueError("three")
        return Score(value=1.0)

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:
        """Raise over every window."""
        raise ZeroDivisionError("nothing to divide by")


def test_one_broken_judgement_and_one_broken_metric_leave_the_others_alone(
    database: Database,
    loaded: Config,
    config: Callable[..., Config],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A scorer that raises fails one request, a metric that raises is absent, both with a reason; all else goes on."""
    monkeypatch.setitem(scorers._classes, "breaks", BreaksOnThree)
    monkeypatch.setitem(metrics._classes, "breaks", BreaksOnThree)
    text = TOML.replace(
        "[deployments.assistant.monitors]", 'odd = {judge = "breaks"}\n[deployments.assistant.monitors]'
    )
    broken = config(text, extra='broken = {metric = "breaks", min_effect = 1}\n')
    result = score_responses(database, broken, "assistant", FIVE)
    assert (result.n_failed, result.n_done) == (1, 23)
    measure(database, broken, "assistant", FIVE)
    found = {monitor: estimate for monitor, segment, _, estimate, _ in _table(database) if segment == "all"}
    assert found["broken"].reason == "the metric failed: ZeroDivisionError: nothing to divide by"
    assert found["refusals"].n == 24
    with database.transaction() as connection:
        rows = connection.exec_driver_sql(
            "SELECT state, reason, n FROM llmmon.coverage WHERE stage = 'score' ORDER BY state"
        ).all()
    assert [tuple(row) for row in rows] == [("done", "", 23), ("failed", "odd: ValueError", 1)]


@dataclass(frozen=True, kw_only=True, slots=True)
class CannotSummarise:
    """A metric that cannot cope with the reference."""

    plugin_name: ClassVar[str] = "cannot"
    unit: ClassVar[str] = "x"
    direction: ClassVar[str] = "neither"
    needs_reference: ClassVar[bool] = True
    summary_version: ClassVar[int] = 1

    def summarise(self, reference: WindowData) -> Summary:
        """Return what is no JSON."""
        return {"mean": math.nan}

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:
        """Never come here."""
        raise AssertionError


def test_a_reference_that_cannot_be_summarised_leaves_the_others_alone(
    database: Database, loaded: Config, config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its monitor is absent with the reason, without reading the reference at every window; all else is measured."""
    monkeypatch.setitem(metrics._classes, "cannot", CannotSummarise)
    broken = config(TOML + 'broken = {metric = "cannot", min_effect = 1}\n')
    _run(database, broken, WINDOWS)
    found = {(monitor, window.start.hour): estimate for monitor, _, window, estimate, _ in _table(database)}
    for hour in (5, 8):
        assert found["broken", hour].reason.startswith("the metric failed over the reference: ValueError: ")
    assert found["ks", 8].value == 1
    assert [row[:3] for row in _summaries(database) if row[0] == "broken"] == [("broken", "all", 1)]


def test_an_unknown_segment_is_a_configuration_error(
    database: Database, loaded: Config, config: Callable[..., Config]
) -> None:
    """A dimension that no request has is refused with its place and the dimensions there are."""
    wrong = config(TOML.replace('segments = ["route"]', 'segments = ["colour"]'))
    with pytest.raises(ConfigError, match=r"monitors.refusals.segments: no field 'colour'; expected one of route"):
        measure(database, wrong, "assistant", FIVE)


def test_a_window_without_requests_is_measured_as_empty(database: Database, loaded: Config) -> None:
    """An empty window closes its accounts and gives reasons, not zeros."""
    empty = Window.parse("2023-06-27T12:00", hours=1)
    assert score_responses(database, loaded, "assistant", empty).n_requests == 0
    measure(database, loaded, "assistant", empty)
    found = {monitor: estimate for monitor, *_, estimate, _ in _table(database)}
    assert found["p50"].value is None
    assert found["refusals"].reason is not None


def test_replays_know_how_likely_the_others_were(database: Database, loaded: Config) -> None:
    """Each replay of an input comes with the texts and the mean log-probabilities of the other two."""
    _run(database, loaded, WINDOWS[:1])
    with database.transaction() as connection:
        replays = list(replayed_responses(connection, "assistant", FIVE, lanes=["reference"]))
    assert {(len(replay.siblings), replay.sibling_logprobs) for replay in replays} == {(2, (-1.0, -1.0))}
