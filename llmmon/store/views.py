"""The compliance views: a file ``sql/compliance/<name>.sql`` is one query, and the view of that name is that query."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from sqlalchemy import Connection

from llmmon.errors import StoreError
from llmmon.store.database import fetch
from llmmon.store.statements import sql_folder

_NAME: Final = re.compile(r"[a-z][a-z_]{0,62}")


@dataclass(frozen=True, kw_only=True, slots=True)
class ComplianceView:
    """One view of the public interface.

    Parameters
    ----------
    purpose : str
        The comment that heads the file: what it shows and which duty it answers.
    definition : str
        The file's text, which anybody with the auditor role can also run as it stands.
    """

    name: str
    purpose: str
    definition: str

    @property
    def select(self) -> str:
        """Statement that reads the view, at most ``%(limit)s`` rows (NULL: all)."""
        # an identifier cannot be a parameter; this one is the name of a file of ours, checked against _NAME
        return f"SELECT * FROM compliance.{self.name} LIMIT %(limit)s"  # noqa: S608


@cache
def compliance_views() -> Mapping[str, ComplianceView]:
    """Return every compliance view by name.

    Raises
    ------
    StoreError
        When a file has no comment that says its purpose, or a name that is none.
    """
    found = {}
    for path in sorted((sql_folder() / "compliance").glob("*.sql")):
        text = path.read_text("utf-8")
        heading = [line.removeprefix("--").strip() for line in text.splitlines() if line.startswith("--")]
        if not heading or not text.startswith("--") or not _NAME.fullmatch(path.stem):
            raise StoreError(
                f"{path}: expected a name of a-z and _, and a first comment that says which duty it answers"
            )
        found[path.stem] = ComplianceView(name=path.stem, purpose=" ".join(heading), definition=text.rstrip("; \n"))
    return found


def apply_views(connection: Connection) -> list[str]:
    """Make the views of the files that changed anew, drop those whose file is gone; return the names made anew."""
    views = compliance_views()
    fetch(connection, "compliance/drop_others", {"names": list(views)})
    return [
        view.name
        for view in views.values()
        if fetch(
            connection,
            "compliance/replace",
            {"name": view.name, "definition": view.definition, "purpose": view.purpose},
        )[0][0]
    ]
