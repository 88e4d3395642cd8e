"""The folder that holds one local stack: database, Airflow's files, inbox, logs and secrets."""

from __future__ import annotations

import json
import os
import secrets as random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from llmmon.embedded import postgres
from llmmon.errors import EmbeddedStackError

_SECRETS: Final = (
    *("postgres", "airflow", "llmmon_app", "auditor", "analyst", "sealer", "anchorer", "eraser"),
    *("admin", "viewer", "jwt_secret", "api_secret_key", "fernet_key", "privacy_key"),
)


def folder() -> Path:
    """Return ``LLMMON_HOME``, else ``.llmmon`` in the working directory."""
    return Path(os.environ.get("LLMMON_HOME") or ".llmmon").resolve()


def port(name: str, default: int) -> int:
    """Return the port that ``LLMMON_<NAME>_PORT`` gives, else `default`.

    Raises
    ------
    EmbeddedStackError
        When the variable holds something else than a port.
    """
    variable = f"LLMMON_{name.upper()}_PORT"
    text = os.environ.get(variable) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise EmbeddedStackError(f"{variable} is {text!r}, expected a port between 1 and 65535")
    return int(text)


def secrets(home: Path) -> Mapping[str, str]:
    """Return the stack's passwords and keys, made on first use and kept in ``secrets.json`` with mode 0600."""
    from cryptography.fernet import Fernet

    path = home / "secrets.json"
    known: dict[str, str] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    missing = [name for name in _SECRETS if name not in known]
    if missing:
        for name in missing:
            known[name] = Fernet.generate_key().decode() if name == "fernet_key" else random.token_urlsafe(18)
        home.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(known, indent=1), "utf-8")
        fresh.replace(path)
    return known


def url(home: Path, role: str, database: str) -> str:
    """Return the URL by which `role` reaches `database` of the local Postgres."""
    return f"postgresql://{role}:{secrets(home)[role]}@127.0.0.1:{port('postgres', 5439)}/{database}"


def database_url(login: str = "llmmon_app") -> str | None:
    """Return the URL by which `login` reaches the local Postgres when it is running, else None."""
    home = folder()
    if (home / "secrets.json").exists() and postgres.is_ready(home):
        return url(home, login, "llmmon")
    return None


@contextmanager
def temporary_postgres() -> Iterator[str]:
    """Run the local Postgres for the length of the block and yield the owner's URL; the data stay."""
    home = folder()
    passwords = secrets(home)
    server = postgres.Postgres(home, port=port("postgres", 5439), password=passwords["postgres"])
    server.start()
    try:
        server.create_database("llmmon")
        yield url(home, "postgres", "llmmon")
    finally:
        server.stop()
