"""Logins: members of the group roles that the migrations make."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import Connection

from llmmon.store.database import fetch

GroupRole = Literal["llmmon_writer", "llmmon_analyst", "llmmon_auditor", "llmmon_eraser"]


def create_login(connection: Connection, name: str, password: str, member_of: GroupRole | None) -> None:
    """Make the login `name`, or give it `password` anew, as a member of one group role or of none.

    The password is turned into a SCRAM verifier here, so that it is in no statement and no server log.

    Parameters
    ----------
    connection : Connection
        Of a role that may make roles.
    """
    from psycopg2.extensions import encrypt_password

    scope = connection.connection.driver_connection
    verifier = encrypt_password(password, name, scope=scope, algorithm="scram-sha-256")
    fetch(connection, "role/create_login", {"name": name, "verifier": verifier, "member_of": member_of})
