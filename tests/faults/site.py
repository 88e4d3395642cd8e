"""One installation under test: a database, a growing log, and loaders that reach Postgres through the wire."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from llmmon.store.database import Database
from tests.faults import loader
from tests.faults.account import Account, account, contradictions
from tests.faults.cluster import Cluster
from tests.faults.traffic import Traffic
from tests.faults.wire import Link, Point, Strike, Wire

PRIVACY_KEY = "a key of the fault tests"
ENVIRONMENT = {"LLMMON_PRIVACY_KEY": PRIVACY_KEY, "COLUMNS": "1000"}
LOAD_SECONDS = 120
TOML = """
[sources.logs]
max_rows_per_batch = 25
read = {type = "openai_jsonl", path = "PATH"}
[sources.logs.gate]
max_bad_fraction = 1.0
[deployments.assistant]
source = "logs"
"""


class Site:
    """A database that is loaded through a `Wire` from a log whose truth is known."""

    def __init__(self, cluster: Cluster, folder: Path, dice: random.Random) -> None:
        folder.mkdir()
        self.cluster = cluster
        self.folder = folder
        self.traffic = Traffic(folder / "app.jsonl", dice)
        self.name = cluster.create_database()
        self.database = Database(cluster.url(self.name))
        self.wire = Wire(cluster.port)
        self.output = folder / "output.txt"
        self.config = folder / "llmmon.toml"
        self.configure(TOML.replace("PATH", str(folder / "app.jsonl*")))

    def configure(self, text: str) -> None:
        """Write llmmon.toml."""
        self.config.write_text(text, "utf-8")

    def close(self) -> None:
        """Let go of the wire and the connections."""
        self.wire.close()
        self.database.engine.dispose()

    def command(self, *verb: str) -> list[str]:
        """Return the arguments of `llmmon` for a verb, which reaches Postgres through the wire."""
        url = self.cluster.url(self.name).replace(f":{self.cluster.port}/", f":{self.wire.port}/")
        config = [] if verb[:1] == ("audit",) else ["--config", str(self.config)]  # the ledger needs no configuration
        return ["-v", *(verb or ("ingest",)), *config, "--database", url]

    def start(self, *verb: str, sabotage: str = "", stopped: bool = False) -> ForkServerProcess:
        """Start a verb, ``ingest`` unless another is named."""
        return loader.start(self.command(*verb), ENVIRONMENT, self.output, sabotage=sabotage, stopped=stopped)

    def finish(self, process: ForkServerProcess) -> int:
        """Wait for a process and return how it ended: its exit code, or minus the signal that ended it."""
        process.join(LOAD_SECONDS)
        in_time = process.exitcode is not None
        process.kill()
        process.join()
        assert in_time, f"still running after {LOAD_SECONDS} s: {self.told()}"
        return process.exitcode or 0

    def told(self) -> str:
        """Return what the loaders said, without the layout."""
        return " ".join(self.output.read_text("utf-8", "replace").split()) if self.output.exists() else ""

    def strike(self, point: Point, act: Callable[[Link], bool], occurrence: int = 0) -> tuple[bool, int]:
        """Run a loader with one fault on the wire; return whether it struck and how the loader ended."""
        strike = Strike(point, act, occurrence)
        self.wire.arm(strike)
        ended = self.finish(self.start())
        self.wire.arm(None)
        return strike.happened.is_set() and strike.over.wait(60), ended

    def kill_at(self, point: Point, occurrence: int = 0, *, sabotage: str = "") -> bool:
        """Kill -9 a loader when it says something to Postgres; return whether it was killed."""
        running: list[ForkServerProcess] = []

        def kill(link: Link) -> bool:
            while not running:  # it has connected before we knew its number
                time.sleep(0.001)
            os.kill(running[0].pid or 0, signal.SIGKILL)
            link.cut()
            return False

        self.wire.arm(Strike(point, kill, occurrence))
        running.append(self.start(sabotage=sabotage))
        ended = self.finish(running[0])
        self.wire.arm(None)
        return ended == -signal.SIGKILL

    def kill_after(self, seconds: float) -> bool:
        """Kill -9 a loader that was started so long ago; return whether it was still running."""
        process = self.start()
        process.join(seconds)
        process.kill()
        return self.finish(process) == -signal.SIGKILL

    def drain(self) -> None:
        """Load to the end of the log with nothing in the way; one run has to be enough."""
        self.wire.arm(None)
        self.cluster.wait()
        ended = self.finish(self.start())
        assert ended == 0, self.told()

    def account(self) -> Account:
        """Return what is wrong with the store now."""
        return account(self.database, self.traffic)

    def assert_whole(self) -> None:
        """Load to the end, and again for nothing: every row of the log is in one place and every sum closes."""
        self.drain()
        self.drain()
        found = self.account()
        assert found.closes, "\n".join(found.findings)

    def assert_consistent(self) -> None:
        """Check the store while the log is not read to its end."""
        with self.database.transaction() as connection:
            assert not contradictions(connection)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Return what a query of the test's own finds."""
        with self.database.transaction() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query).all()]


def kill_backend(link: Link) -> bool:
    """Kill -9 the server's process of this connection; Postgres restarts all of them."""
    os.kill(link.backend_pid, signal.SIGKILL)
    return True


def cut(link: Link) -> bool:
    """Break the connection, as a switch or a firewall does."""
    link.cut()
    return False
