"""Reference texts on a real Postgres: indexed, found again, and verified against; and what judges cost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmmon.config import Config
from llmmon.errors import ConfigError, SourceUnavailableError
from llmmon.model import Scorable, Window
from llmmon.pipeline.fact_scorer import FactIndex, FactScorer
from llmmon.pipeline.index_facts import index_facts
from llmmon.pipeline.ingest import ingest_source
from llmmon.pipeline.score_responses import score_responses
from llmmon.scorers.lexical_support import LexicalSupport
from llmmon.store.database import Database
from tests.judge_endpoint import completion, honest, judging

FIVE = Window.parse("2023-06-27T05:00", hours=1)
RETURNS = "# Returns\n\nYou may return goods within 30 days of delivery. We refund the price within five working days."
SHIPPING = "Parcels are shipped from our warehouse in Rotterdam. Shipping is free above 50 euros."
TOML = """
[sources.logs]
read = {type = "openai_jsonl", path = "${here}/*.jsonl"}
[facts.handbook]
path = "${here}/handbook"
[deployments.assistant]
source = "logs"
[deployments.assistant.scorers]
"""


@pytest.fixture
def handbook(tmp_path: Path) -> Path:
    """Return a folder with a Markdown file and one of JSON lines."""
    folder = tmp_path / "handbook"
    (folder / "policies").mkdir(parents=True)
    (folder / "policies" / "returns.md").write_text(RETURNS, "utf-8")
    (folder / "shop.jsonl").write_text(json.dumps({"id": "shipping", "text": SHIPPING}) + "\n", "utf-8")
    (folder / "logo.png").write_bytes(b"\x89PNG")
    return folder


def _query(database: Database, text: str) -> list[tuple[Any, ...]]:
    with database.transaction() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(text).all()]


def test_indexing_follows_the_texts_and_changes_nothing_twice(
    database: Database, config: Callable[..., Config], handbook: Path
) -> None:
    """New, changed and removed documents are counted; the rows of the others stay; no change leaves no audit event."""
    settings = config(TOML)
    first = index_facts(database, settings, "handbook")
    assert (first.n_documents, first.n_passages, first.n_new) == (2, 2, 2)
    rows = _query(
        database, "SELECT document, start_offset, content, fact_passage_id FROM llmmon.fact_passage ORDER BY 1"
    )
    assert [row[0] for row in rows] == ["policies/returns.md", "shop.jsonl#shipping"]
    assert RETURNS[rows[0][1] :] == rows[0][2]
    again = index_facts(database, settings, "handbook")
    assert (again.n_new, again.n_changed, again.n_removed, again.n_same, again.n_passages) == (0, 0, 0, 2, 2)
    (handbook / "shop.jsonl").unlink()
    (handbook / "policies" / "returns.md").write_text(RETURNS.replace("30", "14"), "utf-8")
    third = index_facts(database, settings, "handbook")
    assert (third.n_changed, third.n_removed, third.n_documents) == (1, 1, 1)
    events = _query(database, "SELECT count(*) FROM audit.trail WHERE event = 'facts.indexed'")
    assert events == [(2,)]
    assert rows[0][3] not in {row[0] for row in _query(database, "SELECT fact_passage_id FROM llmmon.fact_passage")}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("broken.txt", b"\xff\xfe caf\xe9", r"facts handbook: broken.txt: .*utf-8"),
        ("rows.jsonl", b'{"id": 1, "txt": "a"}\n', r"facts handbook: rows.jsonl: line 1 has no text"),
        (
            "rows.jsonl",
            b'{"id": 1, "text": "a b"}\n{"id": 1, "text": "c d"}\n',
            r"two documents are called 'rows.jsonl#1'",
        ),
    ],
)
def test_a_text_that_cannot_be_read_leaves_the_index_as_it_was(
    database: Database, config: Callable[..., Config], handbook: Path, name: str, content: bytes, message: str
) -> None:
    """Facts are indexed whole or not at all; the error names the file."""
    settings = config(TOML)
    index_facts(database, settings, "handbook")
    (handbook / "policies" / "returns.md").unlink()
    (handbook / name).write_bytes(content)
    with pytest.raises(SourceUnavailableError, match=message):
        index_facts(database, settings, "handbook")
    assert _query(database, "SELECT count(*) FROM llmmon.fact_passage") == [(2,)]


def test_facts_of_a_query_and_of_no_name(
    database: Database, database_url: str, config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of a query are documents called by their first column; facts that are not configured are an error."""
    monkeypatch.setenv("WIKI_URL", database_url)
    text = TOML.replace('path = "${here}/handbook"', 'url_env = "WIKI_URL"\nquery = "SELECT 7, \'Cats are mammals.\'"')
    assert index_facts(database, config(text), "handbook").n_new == 1
    assert _query(database, "SELECT document, content FROM llmmon.fact_passage") == [("7", "Cats are mammals.")]
    with pytest.raises(ConfigError, match=r"no 'manual' is defined; there are: handbook"):
        index_facts(database, config(text), "manual")
    with pytest.raises(ConfigError, match=r"expected either path, or query and url_env"):
        config(text.replace("query =", "path = 'x'\nquery ="))


def test_a_claim_is_verified_against_the_fact_that_speaks_of_it(
    database: Database,
    config: Callable[..., Config],
    handbook: Path,
    jsonl: Callable[..., Path],
    line: Callable[..., dict[str, Any]],
) -> None:
    """The log's documents are replaced; evidence names document and offsets; without a fact there is a reason."""
    asked = {
        "May I return it?": "Yes, you may return goods within 30 days of delivery.",
        "Where do parcels come from?": "Parcels swim to our dolphins in Lisbon every full moon.",
        "Who was Beethoven?": "A composer born in Bonn.",
    }
    rows = []
    for index, (question, text) in enumerate(asked.items()):
        row = line(index)
        row["request"]["messages"][0]["content"] = question
        row["response"]["choices"][0]["message"]["content"] = text
        rows.append(row)
    jsonl(rows)
    settings = config(TOML + 'verified = {judge = "lexical_support", facts = "handbook"}\n')
    ingest_source(database, settings, "logs")
    with pytest.raises(ConfigError, match=r"facts handbook: nothing is indexed; run `llmmon facts index handbook`"):
        score_responses(database, settings, "assistant", FIVE)
    index_facts(database, settings, "handbook")
    result = score_responses(database, settings, "assistant", FIVE)
    assert (result.n_done, result.n_failed) == (3, 0)
    found = _query(database, "SELECT value, reason, label FROM llmmon.score ORDER BY request_key")
    assert found[0][1:] == (None, "supported")
    assert found[0][0] > found[1][0]
    assert found[2] == (None, "no fact in handbook speaks of this", None)
    parameters = _query(database, "SELECT parameters FROM llmmon.provenance WHERE kind = 'scorers'")[0][0]
    assert parameters["facts"] == "handbook"
    assert len(parameters["facts_digest"]) == 64


def test_evidence_offsets_are_those_of_the_document(
    database: Database, config: Callable[..., Config], handbook: Path
) -> None:
    """Cutting a long document into passages does not show in the evidence."""
    filler = " ".join(f"Rule {number} speaks of parking lot {number} behind the house." for number in range(60))
    text = f"{filler} {SHIPPING}"
    (handbook / "long.txt").write_text(text, "utf-8")
    settings = config(TOML)
    index_facts(database, settings, "handbook")
    index = FactIndex.load("handbook", settings.facts["handbook"], database.transaction)
    claim = "Parcels are shipped from our warehouse in Rotterdam."
    asked = Scorable(request_key=1, lane="logged", variant="as_logged", repeat=0, messages=(), documents=(), text=claim)
    score = FactScorer(LexicalSupport(), index).score(asked)
    (sentence,) = score.evidence["sentences"]
    source = {"long.txt": text, "shop.jsonl#shipping": SHIPPING}[sentence["document"]]
    assert "Rotterdam" in source[sentence["evidence_start"] : sentence["evidence_end"]]
    assert score.evidence["facts"] == "handbook"
    for told in score.evidence["passages"]:
        assert told["start"] < told["end"]


def test_judges_are_accounted_for_and_their_cost_is_in_sql(
    database: Database, config: Callable[..., Config], jsonl: Callable[..., Path], line: Callable[..., dict[str, Any]]
) -> None:
    """Of three answers one gets no verdict: it has failed, with a reason and no value; paid twice is counted twice."""
    jsonl([line(index) for index in range(3)])

    def model(body: dict[str, Any]) -> Any:
        return completion("no verdict") if "No, 1 is not." in body["messages"][1]["content"] else honest("yes")(body)

    with judging(model) as endpoint:
        judge = (
            f'judge = {{judge = {{type = "llm_judge", base_url = "{endpoint.url}", model = "m-1", rubric = "harm",'
            " usd_per_million_tokens = {input = 1, output = 5}}}\n"
        )
        settings = config(TOML + judge)
        ingest_source(database, settings, "logs")
        result = score_responses(database, settings, "assistant", FIVE)
        assert (result.n_done, result.n_failed) == (2, 1)
        again = score_responses(database, settings, "assistant", FIVE)
    assert again.n_changed == 0
    scores = _query(database, "SELECT value, reason FROM llmmon.score ORDER BY request_key")
    assert scores == [(1.0, None), (None, "the judge gave no verdict: no JSON object"), (1.0, None)]
    account = _query(database, "SELECT state, reason, n FROM llmmon.coverage WHERE stage = 'score' ORDER BY state")
    assert account == [("done", "", 2), ("failed", "judge: the judge gave no verdict: no JSON object", 1)]
    columns = "deployment, scorer, model, n_judged, n_failed, n_calls, n_input_tokens, n_output_tokens, n_without_cost"
    (row,) = _query(database, f"SELECT {columns}, cost_usd FROM compliance.judge_costs")
    assert row[:-1] == ("assistant", "judge", "m-1", 6, 2, 6, 600, 120, 0)
    assert row[-1] == pytest.approx(6 * (100 * 1 + 20 * 5) / 1e6)
