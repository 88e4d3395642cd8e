"""The search for planted personal data reads what a database's dump holds in bytes."""

from __future__ import annotations

import gzip

import pytest

from tests.canaries import readable

PLANTED = b"please note 4111111111111111 for later"


@pytest.mark.parametrize("content", [PLANTED, gzip.compress(PLANTED)], ids=["plain", "zipped"])
def test_what_bytes_hold_is_found(content):
    assert readable(f"INSERT INTO t VALUES ('\\x{content.hex()}');") == f"INSERT INTO t VALUES ('{PLANTED.decode()}');"


@pytest.mark.parametrize(
    "content",
    [
        b"\x1f\x8b" + PLANTED,
        gzip.compress(PLANTED)[:12],
        gzip.compress(b"")[:10] + b"\xff" * 9,
        gzip.compress(PLANTED)[:-8] + bytes(8),
    ],
    ids=["no method", "cut off", "no deflate", "wrong sum"],
)
def test_bytes_that_only_begin_as_a_gzip_file_does_stay_as_they_are(content):
    assert readable(f"'\\x{content.hex()}'") == f"'{content.decode('utf-8', 'replace')}'"
