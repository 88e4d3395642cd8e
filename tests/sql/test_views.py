"""Golden data for the compliance views: ``<view>/<case>/given.yaml`` fills tables, ``expect.yaml`` is what is read."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
import yaml

from llmmon.store.database import Database, fetch
from llmmon.store.views import compliance_views

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/*/given.yaml"))


def fill(database: Database, given: dict[str, list[dict[str, Any]]]) -> None:
    """Insert the rows of a given file, table by table in its order."""
    with database.transaction() as connection:
        for name, rows in given.items():
            schema, table_name = name.split(".")
            if name == "llmmon.request_log":
                days = sorted({row["occurred_at"].date() for row in rows})
                fetch(connection, "request_log/ensure_partitions", {"days": days})
            table = sqlalchemy.Table(table_name, sqlalchemy.MetaData(), schema=schema, autoload_with=connection)
            for row in rows:
                cells = {key: sqlalchemy.null() if value is None else value for key, value in row.items()}
                connection.execute(table.insert().values(cells))


def plain(value: Any) -> Any:
    """Return a cell as YAML would give it."""
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, (date, datetime)) else value


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_view_gives_the_golden_rows(database: Database, case: Path) -> None:
    """The named columns of every row, in order, are the expected ones."""
    fill(database, yaml.safe_load((case / "given.yaml").read_text("utf-8")))
    expected = yaml.safe_load((case / "expect.yaml").read_text("utf-8"))

    with database.transaction() as connection:
        rows = connection.exec_driver_sql(compliance_views()[case.parent.name].select, {"limit": None}).mappings().all()

    found = [{key: plain(row[key]) for key in wanted} for row, wanted in zip(rows, expected, strict=True)]
    wanted = [{key: plain(value) for key, value in row.items()} for row in expected]
    for row, other in zip(found, wanted, strict=True):
        assert row == {key: pytest.approx(v, abs=1e-9) if isinstance(v, float) else v for key, v in other.items()}
