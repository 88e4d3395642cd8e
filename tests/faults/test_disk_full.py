"""Row 22 of docs/reliability.md: no space is left, for the data or for the write-ahead log."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from llmmon.errors import StoreError
from tests.faults.cluster import Cluster
from tests.faults.site import PRIVACY_KEY, Site
from tests.faults.wire import POINTS, Link

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a small volume can be mounted by root only")


@contextmanager
def small_volume(where: Path, megabytes: int, like: Path) -> Iterator[None]:
    """Mount an empty volume of this size, owned by who owns `like`."""
    owner = like.stat()
    options = f"size={megabytes}m,mode=700,uid={owner.st_uid},gid={owner.st_gid}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "llmmon-faults", where], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", where], check=True)


def fill(ballast: Path) -> None:
    """Write a file until its volume is full."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(2**20))
    assert shutil.disk_usage(ballast.parent).free == 0


def test_row_22_the_data_volume_is_full(cluster: Cluster, site: Site) -> None:
    """The batch fails whole and the error says what to do; with space again, the next run loads the rest."""
    where = cluster.data.parent / "small"
    where.mkdir()
    with small_volume(where, 2, like=cluster.data):
        cluster.execute(f"CREATE TABLESPACE small LOCATION '{where}'", "GRANT CREATE ON TABLESPACE small TO PUBLIC")
        cluster.execute(f"ALTER DATABASE {site.name} SET default_tablespace = small")
        site.configure(site.config.read_text().replace("max_rows_per_batch = 25", "max_rows_per_batch = 250"))
        site.traffic.append(4000)
        assert site.finish(site.start()) == StoreError.exit_code, site.told()
        assert "No space left on device" in site.told()
        assert "free space where Postgres keeps its data and run this again" in site.told()
        n_before = int(str(site.rows("SELECT sum(n_in) FROM llmmon.ingest_batch")[0][0]))
        assert 0 < n_before < 4000
        site.assert_consistent()
        subprocess.run(["mount", "-o", "remount,size=64m", where], check=True)
        site.assert_whole()
        cluster.execute(f"DROP DATABASE {site.name} WITH (FORCE)", "DROP TABLESPACE small")
    where.rmdir()


def test_row_22_the_volume_of_the_write_ahead_log_is_full(
    tmp_path: Path, dice: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Postgres stops at once; with space it starts with all that it had acknowledged, and the loader has waited."""
    monkeypatch.setenv("LLMMON_PRIVACY_KEY", PRIVACY_KEY)
    cluster = Cluster(tmp_path / "home")
    cluster.home.mkdir()
    cluster.start()
    cluster.stop()
    log, kept = cluster.data / "pg_wal", tmp_path / "kept"
    shutil.copytree(log, kept)
    try:
        with small_volume(log, 40, like=cluster.data):
            subprocess.run(["cp", "-a", f"{kept}/.", log], check=True)
            subprocess.run(["chown", "-R", f"--reference={cluster.data}", log], check=True)
            cluster.start()
            site = Site(cluster, tmp_path / "site", dice)
            site.traffic.append(60)
            site.drain()
            site.traffic.append(60)
            n_starts: list[int] = []

            def fill_and_make_room(link: Link) -> bool:
                fill(log / "ballast")
                with suppress(OperationalError):  # of whoever writes into the next segment, for which there is no space
                    cluster.execute("SELECT pg_switch_wal()", "SELECT pg_log_standby_snapshot()")
                cluster.wait_until_down()
                subprocess.run(["mount", "-o", "remount,size=200m", log], check=True)
                cluster.start()
                n_starts.append(1)
                return True

            struck, ended = site.strike(POINTS["before COPY of facts"], fill_and_make_room)
            assert (struck, ended, n_starts) == (True, 0, [1]), site.told()
            found = site.account()
            assert found.closes, found.findings
            site.assert_whole()
            site.close()
            cluster.stop()
    finally:
        cluster.remove()
