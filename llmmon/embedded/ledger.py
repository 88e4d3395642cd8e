"""The sealer and the anchorer of the local stack: two processes, each with a login, files and rights of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from llmmon.audit.checkpoint import SigningKey
from llmmon.embedded import home as stack_home
from llmmon.embedded import processes
from llmmon.privacy.keys import VARIABLE

_TOML: Final = """\
# Written by `llmmon up` at each start. In production this file, the key and the state belong to somebody else than
# the pipeline's operators; see docs/auditor.md.
[channels.vault]
type = "folder"
path = "${here}/heads"
[channels.auditor]
SECOND
[deliver]         # fewest minutes between two signed heads
vault = 0
auditor = 1440
"""
_MAIL: Final = 'type = "email"\nconnection = "llmmon_smtp"\nto = ["auditor@example.com"]'
_LOG: Final = 'type = "log"'


def folder(home: Path) -> Path:
    """Return the anchorer's folder: its key, the public key ``key.pub``, its state, and the heads it signed."""
    return home / "anchorer"


def start_ledger(home: Path, connections: Mapping[str, str]) -> None:
    """Start both, unless they run.

    Parameters
    ----------
    connections : mapping
        Environment variables that hold connections; with one for ``llmmon_smtp`` the auditor gets heads by e-mail.
    """
    mine = folder(home)
    mine.mkdir(parents=True, exist_ok=True)
    key_file = mine / "key"
    if not key_file.exists():
        key = SigningKey.generate("localhost/llmmon")
        key_file.touch(mode=0o600)
        key_file.write_text(f"{key.encoded}\n", "utf-8")
        (mine / "key.pub").write_text(f"{key.public}\n", "utf-8")
    given = {**os.environ, **connections}
    (mine / "anchorer.toml").write_text(
        _TOML.replace("SECOND", _MAIL if "AIRFLOW_CONN_LLMMON_SMTP" in given else _LOG), "utf-8"
    )
    without_key = {name: value for name, value in given.items() if name != VARIABLE}
    files = ["--config", "anchorer.toml", "--key-file", "key", "--state", "state.json"]
    for name, arguments, cwd in (
        ("sealer", ["seal", "--every", "1"], home),
        ("anchorer", ["anchor", *files, "--every", "15"], mine),
    ):
        environment = {**without_key, "LLMMON_DATABASE_URL": stack_home.url(home, name, "llmmon")}
        command = [str(Path(sys.executable).parent / "llmmon"), "audit", *arguments]
        processes.start(home, name, command, environment=environment, cwd=cwd)
