"""What each login may do, tried with real logins; and the rights against the golden file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from llmmon.config import Config
from llmmon.errors import LlmmonError, StoreError
from llmmon.pipeline.decide_batch import discard_batch, release_batch
from llmmon.pipeline.detect import detect
from llmmon.pipeline.ingest import ingest_source
from llmmon.store.database import Database
from llmmon.store.grants import check_grants, grants_of
from llmmon.store.migrate import check_schema, upgrade
from llmmon.store.roles import create_login
from llmmon.store.statements import sql_folder
from llmmon.store.views import apply_views, compliance_views
from tests.integration.alarms.measured import CALM, measure_windows, small_config

VIEWS = sorted(compliance_views())
PASSWORD = 'it\'s a "pass" %s'


Login = Callable[[Database, str], Database]


@contextmanager
def logins() -> Iterator[Login]:
    """Yield a factory: ``login(database, "llmmon_auditor")`` opens `database` as a login of that role."""
    opened: list[Database] = []

    def make(database: Database, role: str) -> Database:
        name = f"test_{role}"
        with database.transaction() as connection:
            create_login(connection, name, PASSWORD, member_of=role)  # type: ignore[arg-type]
        url = make_url(database.url).set(username=name, password=PASSWORD)
        opened.append(Database(url.render_as_string(hide_password=False)))
        return opened[-1]

    yield make
    for each in opened:
        each.engine.dispose()


@pytest.fixture
def login() -> Iterator[Login]:
    """Yield the factory of logins for one test."""
    with logins() as make:
        yield make


@pytest.fixture(scope="module")
def guarded(
    make_database: Callable[[str | None], str], template_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Database]]:
    """Yield one database that holds an alert, opened by a login of each role; the tests only fail to change it."""
    database = Database(make_database(template_url))
    measure_windows(database, [*CALM, 0.018, 0.8])
    detect(database, small_config(tmp_path_factory.mktemp("roles")), "survey")
    with logins() as make:
        yield {role: make(database, role) for role in ("llmmon_auditor", "llmmon_writer")}
    database.engine.dispose()


@pytest.fixture
def auditor(guarded: dict[str, Database]) -> Database:
    """Return the database as the auditor opens it."""
    return guarded["llmmon_auditor"]


def run(database: Database, query: str) -> list[tuple[object, ...]]:
    """Run one statement and return its rows, if it has any."""
    with database.transaction() as connection:
        result = connection.exec_driver_sql(query)
        return [tuple(row) for row in result.all()] if result.returns_rows else []


def test_the_auditor_runs_every_file_and_every_view(auditor: Database) -> None:
    """Each file of sql/compliance runs as it stands and as its view, with the same rows, none of them NaN."""
    for view in compliance_views().values():
        with auditor.transaction() as connection:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            from_file = connection.exec_driver_sql(view.definition.replace("%", "%%")).all()
            from_view = connection.exec_driver_sql(view.select, {"limit": None}).all()
        assert [tuple(row) for row in from_file] == [tuple(row) for row in from_view]
        assert not any(cell != cell for row in from_view for cell in row)  # NaN differs from itself
    assert len(run(auditor, "SELECT * FROM compliance.alert_lifecycle")) == 1


def test_every_view_has_an_example_that_the_auditor_can_run(auditor: Database) -> None:
    """In sql/compliance/README.md."""
    page = (sql_folder() / "compliance" / "README.md").read_text("utf-8")
    examples = re.findall(r"^```sql\n(.*?);\n```", page, re.MULTILINE | re.DOTALL)
    assert {re.findall(r"compliance\.(\w+)", example)[0] for example in examples} == set(VIEWS)
    for example in examples:
        run(auditor, example.replace("%", "%%"))


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO audit.event (body) VALUES ('{}')",
        "UPDATE audit.event SET body = body",
        "DELETE FROM audit.event",
        "TRUNCATE audit.event",
        "DROP TABLE audit.event",
        "ALTER TABLE audit.event DISABLE TRIGGER ALL",
        "CREATE TABLE llmmon.mine (a integer)",
        "CREATE VIEW compliance.mine AS SELECT 1",
        "DROP VIEW compliance.who_did_what",
        "INSERT INTO llmmon.review (review_item_id, label, reviewer) VALUES (1, 1, 'y')",
        "SELECT content FROM llmmon.review_item",
        "UPDATE llmmon.alert SET state = 'resolved'",
        "DELETE FROM llmmon.coverage",
        "TRUNCATE llmmon.measurement",
        "UPDATE compliance.who_did_what SET actor = 'nobody'",
        "SELECT llmmon.ensure_day_partition('2023-06-27')",
        "SELECT llmmon.drop_day_partition('2023-06-27')",
        "SELECT llmmon.create_login('eve', 'x', 'llmmon_writer')",
        "SELECT compliance.drop_views_except('{}')",
        "SET ROLE llmmon_owner",
        "SET ROLE llmmon_writer",
        "SELECT content FROM llmmon.request_payload",
        "SELECT wrapped_key FROM llmmon.subject_key",
        "SELECT content FROM llmmon.response",
        "SELECT evidence FROM llmmon.score",
        "SELECT raw FROM llmmon.quarantine",
        "SELECT raw FROM llmmon.held_row",
        "DELETE FROM llmmon.held_row",
        "SELECT snapshot FROM llmmon.report",
    ],
)
def test_the_auditor_changes_nothing_and_reads_no_payload(auditor: Database, statement: str) -> None:
    """Every write, every definition and every column with payload is refused."""
    with pytest.raises(StoreError, match=r"permission denied|must be owner|cannot update column"):
        run(auditor, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit.event SET body = body",
        "DELETE FROM audit.event",
        "TRUNCATE audit.event",
        "INSERT INTO audit.event (recorded_us, body) VALUES (0, '{}')",
        "ALTER TABLE audit.event DISABLE TRIGGER ALL",
        "DELETE FROM llmmon.alert",
        "DELETE FROM llmmon.measurement",
        "DELETE FROM llmmon.request_log",
        "UPDATE llmmon.request_payload SET content = ''",
        "UPDATE llmmon.alert_event SET actor = 'nobody'",
        "DELETE FROM llmmon.delivery_attempt",
        "UPDATE llmmon.provenance SET code_version = ''",
        "TRUNCATE llmmon.coverage",
        "CREATE TABLE llmmon.mine (a integer)",
        "DROP TABLE llmmon.alert",
        "SET ROLE llmmon_owner",
        "SELECT llmmon.create_login('eve', 'x', 'llmmon_writer')",
    ],
)
def test_the_writer_cannot_change_the_past(guarded: dict[str, Database], statement: str) -> None:
    """The pipeline's login can change neither the audit trail nor the schema, nor facts that are past."""
    with pytest.raises(StoreError, match=r"permission denied|must be owner"):
        run(guarded["llmmon_writer"], statement)


def test_even_the_superuser_meets_the_append_only_trigger(database: Database) -> None:
    """Edits of the trail by whoever owns the server are at least refused by default."""
    run(database, "INSERT INTO audit.event (body) VALUES ('{\"event\":\"x\",\"actor\":\"a\",\"subject\":\"s\","
                  "\"code_version\":\"0\",\"config_digest\":\"\"}')")  # fmt: skip
    for statement in ("UPDATE audit.event SET body = body", "DELETE FROM audit.event", "TRUNCATE audit.event"):
        with pytest.raises(StoreError, match="append-only"):
            run(database, statement)


def test_the_pipeline_works_with_the_writers_login(database: Database, login: Login, tmp_path: Path) -> None:
    """Measuring, detecting and alerting need no more than the writer's rights."""
    writer = login(database, "llmmon_writer")
    check_schema(writer)
    measure_windows(writer, [*CALM, 0.018, 0.8])
    assert detect(writer, small_config(tmp_path), "survey").n_alerts == 1
    assert run(writer, "SELECT llmmon.ensure_day_partition('2023-06-27')") == [("request_log_20230627",)]
    assert run(writer, "SELECT llmmon.drop_day_partition('2023-06-27')") == [(0,)]


def test_batches_are_held_and_decided_on_with_the_writers_login(
    database: Database, login: Login, config: Callable[..., Config], jsonl: Callable[..., Path]
) -> None:
    """Holding, alerting and deciding need no more than the writer's rights; the auditor sees who decided."""
    writer = login(database, "llmmon_writer")
    toml = (
        '[sources.logs]\nread = {type = "openai_jsonl", path = "${here}/*.jsonl"}\n[deployments.a]\nsource = "logs"\n'
    )
    settings = config(toml)
    for name in ("a.jsonl", "b.jsonl"):
        jsonl([f"broken {name}"], name=name)
        assert ingest_source(writer, settings, "logs").n_held == 1
    release_batch(writer, settings, 1, because="a test", by="Mira")
    discard_batch(writer, settings, 2, because="a test", by="Jo")
    auditor = login(database, "llmmon_auditor")
    told = "SELECT decided_by, n_held_kept FROM compliance.ingest_reconciliation ORDER BY batch_id"
    assert run(auditor, told) == [("Mira", 0), ("Jo", 0)]
    assert run(auditor, "SELECT n_in, n_in_quarantine, n_discarded, closes FROM compliance.traffic_accounted_for") == [
        (2, 1, 1, True)
    ]


def test_the_analyst_reads_numbers_and_no_audit(database: Database, login: Login) -> None:
    """Analysts read measurements and request facts; the trail and the text are refused."""
    analyst = login(database, "llmmon_analyst")
    run(analyst, "SELECT * FROM llmmon.measurement_latest")
    run(analyst, "SELECT model, latency_ms, groups FROM llmmon.request_log")
    for statement in (
        "SELECT * FROM audit.trail",
        "SELECT content FROM llmmon.request_payload",
        "DELETE FROM llmmon.score",
    ):
        with pytest.raises(StoreError, match="permission denied"):
            run(analyst, statement)


def test_a_login_gets_a_new_password_and_only_group_roles(database: Database, login: Login) -> None:
    """Made twice, a login has the second password; a role that is not for logins is refused."""
    login(database, "llmmon_auditor")
    with database.transaction() as connection:
        create_login(connection, "test_llmmon_auditor", "second", member_of=None)
    stored = run(database, "SELECT rolpassword FROM pg_authid WHERE rolname = 'test_llmmon_auditor'")
    assert str(stored[0][0]).startswith("SCRAM-SHA-256$")
    with pytest.raises(LlmmonError, match="not a role that logins are given"), database.transaction() as connection:
        create_login(connection, "eve", "x", member_of="llmmon_owner")  # type: ignore[arg-type]


def test_rights_are_those_of_the_golden_file_and_a_stray_one_is_found(database: Database) -> None:
    """A migrated database passes; one right given by hand is named."""
    check_grants(database)
    run(database, "GRANT DELETE ON audit.event TO llmmon_writer")
    with pytest.raises(StoreError, match=r"\+grant table audit.event to llmmon_writer: delete, select"):
        check_grants(database)


def test_every_view_reads_with_the_rights_of_who_asks(database: Database) -> None:
    """No view of ours lends its owner's rights."""
    lending = run(
        database,
        "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind = 'v'"
        " AND c.relnamespace IN ('llmmon'::regnamespace, 'audit'::regnamespace, 'compliance'::regnamespace)"
        " AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false)",
    )
    assert lending == []


def test_views_follow_their_files(database: Database) -> None:
    """Unchanged files make nothing anew; a changed view is restored, a stray one is dropped, and grants stay."""
    before = grants_of(database)
    with database.transaction() as connection:
        assert apply_views(connection) == []
        connection.exec_driver_sql("COMMENT ON VIEW compliance.who_did_what IS 'edited'")
        connection.exec_driver_sql("CREATE VIEW compliance.stray AS SELECT 1 AS a")
        assert apply_views(connection) == ["who_did_what"]
    assert grants_of(database) == before
    upgrade(database.url.render_as_string(hide_password=False))
    assert grants_of(database) == before


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_names_its_duty(name: str) -> None:
    """The heading of each file says which law, regulation or standard it answers."""
    assert "Duties: " in compliance_views()[name].purpose
