"""``airflow db migrate`` brings llmmon's schema forward and looks at who may do what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from llmmon.store.database import Database
from llmmon.store.migrate import check_schema


def test_an_empty_database_is_brought_forward(airflow: Callable[..., Any], make_database: Callable[..., str]) -> None:
    """With all of its rights as the golden file has them."""
    url = make_database(None)
    assert airflow("bring_forward.py", LLMMON_DATABASE_URL=url) == ""
    check_schema(Database(url))


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("GRANT UPDATE ON audit.event TO llmmon_writer", "+grant table audit.event to llmmon_writer: select, update"),
        ("REVOKE SELECT ON audit.event FROM llmmon_auditor", "-grant table audit.event to llmmon_auditor: select"),
    ],
)
def test_a_right_too_many_or_too_few_stops_the_start(
    airflow: Callable[..., Any], database: Database, statement: str, told: str
) -> None:
    """A right that was given by hand and forgotten is named; so is one that is missing."""
    with database.transaction() as connection:
        connection.exec_driver_sql(statement)
    url = database.url.render_as_string(hide_password=False)
    assert told in airflow("bring_forward.py", LLMMON_DATABASE_URL=url)
