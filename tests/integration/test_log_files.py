"""Files that grow, rotate, are replaced, torn, gzipped or cut short lose nothing."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from llmmon.errors import SourceUnavailableError
from llmmon.sources.base import sources
from llmmon.sources.files import read_new_lines


def read(path, position=None, *, max_rows=100):
    """Return the raw lines behind `position` and the new position."""
    found = []
    for batch in read_new_lines(str(path), position, max_rows=max_rows):
        assert len(batch.rows) <= max_rows
        found += [row.raw.decode() for row in batch.rows]
        position = json.loads(json.dumps(batch.position))
    return found, position


def test_a_growing_file_is_read_on_and_a_torn_line_waits(tmp_path):
    """The line that is being written is read when it is whole, and no line twice."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n":1}\n{"n":2}\n{"n":')
    found, position = read(path)
    assert found == ['{"n":1}', '{"n":2}']
    with path.open("ab") as file:
        file.write(b'3}\n\n{"n":4}')
    found, position = read(path, position)
    assert found == ['{"n":3}', '{"n":4}']
    with path.open("ab") as file:
        file.write(b'\n{"n":5}\r\n')
    found, position = read(path, position)
    assert found == ['{"n":5}']
    assert read(path, position)[0] == []


@pytest.mark.parametrize("max_rows", [1, 2, 3, 100])
def test_batches_of_any_size_cover_several_files_once(tmp_path, max_rows):
    """Batches end at max_rows across files, and their positions join up."""
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.jsonl").write_text("".join(f'{{"{name}":{n}}}\n' for n in range(3)))
    found, position = read(tmp_path / "*.jsonl", max_rows=max_rows)
    assert found == [f'{{"{name}":{n}}}' for name in "abc" for n in range(3)]
    assert read(tmp_path / "*.jsonl", position)[0] == []


def test_offsets_name_the_place_of_each_line(tmp_path):
    """The offset of a row is that of its first byte in the unpacked file."""
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"n":1}\n\n{"n":22}\n{"n":3}\n'))
    (batch,) = read_new_lines(str(path), None, max_rows=10)
    assert [row.offset for row in batch.rows] == [0, 9, 18]


def test_a_rotated_file_is_known_under_its_new_name(tmp_path):
    """Renaming a log and starting a new one reads only the new lines of both."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"n":1}\n{"n":2}\n')
    _, position = read(tmp_path / "a.jsonl*")
    path.rename(tmp_path / "a.jsonl.1")
    with (tmp_path / "a.jsonl.1").open("a") as file:
        file.write('{"n":3}\n')
    path.write_text('{"n":4}\n')
    found, _ = read(tmp_path / "a.jsonl*", position)
    assert sorted(found) == ['{"n":3}', '{"n":4}']


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_truncated_or_rewritten_file_is_read_from_its_start(tmp_path, pack):
    """The same inode with other content is another generation, also when the first line stayed the same."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(pack(b'{"n":1}\n{"n":2}\n{"n":3}\n'))
    _, position = read(path)
    path.write_bytes(pack(b'{"n":9}\n'))
    found, position = read(path, position)
    assert found == ['{"n":9}']
    path.write_bytes(pack(b'{"n":9}\n{"n":8}\n{"n":7}\n{"n":6}\n'))
    found, position = read(path, position)
    assert found == ['{"n":8}', '{"n":7}', '{"n":6}']
    path.write_bytes(pack(b'{"n":9}\n{"n":5}\n{"n":44444444444444444444444444444444}\n'))
    found, _ = read(path, position)
    assert found == ['{"n":9}', '{"n":5}', '{"n":44444444444444444444444444444444}']


def test_a_gzip_file_cut_short_gives_its_whole_lines_and_an_error(tmp_path):
    """Lines before the cut are read, other files too, and the error names the file and what to do."""
    whole = b"".join(b'{"n":%d,"x":"%s"}\n' % (n, os.urandom(40).hex().encode()) for n in range(500))
    cut = tmp_path / "a.jsonl.gz"
    packed = gzip.compress(whole)
    cut.write_bytes(packed[: len(packed) // 2])
    (tmp_path / "b.jsonl").write_text('{"n":"b"}\n')
    found = []
    batches = read_new_lines(str(tmp_path / "*.jsonl*"), None, max_rows=100)
    for batch in itertools.islice(batches, 3):
        found += [row.raw for row in batch.rows]
        position = batch.position
    with pytest.raises(SourceUnavailableError, match=r"a\.jsonl\.gz: the gzip stream is broken or cut short"):
        next(batches)
    n_before = len(found) - 1
    assert found[-1] == b'{"n":"b"}'
    assert 200 < n_before < 300
    assert found[:-1] == whole.splitlines()[:n_before]
    cut.write_bytes(packed)
    rest, _ = read(tmp_path / "*.jsonl*", position)
    assert [row.encode() for row in rest] == whole.splitlines()[n_before:]


def test_a_line_without_end_is_kept_by_its_beginning_and_passed_over(tmp_path):
    """A line of 17 MiB does not fill the memory, and the line behind it is read."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"x" * (17 * 2**20) + b'\n{"n":2}\n')
    (batch,) = read_new_lines(str(path), None, max_rows=10)
    assert [row.raw[:8] for row in batch.rows] == [b"xxxxxxxx", b'{"n":2}']
    assert len(batch.rows[0].raw) > 16 * 2**20
    assert batch.rows[1].offset == 17 * 2**20 + 1


def test_what_cannot_be_read_is_named(tmp_path):
    """A missing file, a glob without a match, a folder and an unknown protocol each say what was expected."""
    (tmp_path / "folder").mkdir()
    for path, words in [
        (tmp_path / "none.jsonl", "no such file"),
        (tmp_path / "*.jsonl", "no such file"),
        (tmp_path / "folder", "is a directory; expected a file or a glob"),
        ("nowhere://x/y", "expected a path or a URL"),
    ]:
        with pytest.raises(SourceUnavailableError, match=words) as caught:
            list(read_new_lines(str(path), None, max_rows=1))
        assert str(path) in str(caught.value)


def test_a_file_without_read_permission_is_named(tmp_path):
    """Another user's private file is an error that names it; the check runs as an ordinary user."""
    path = tmp_path / "a.jsonl"
    path.write_text("{}\n")
    path.chmod(0o000)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    code = (
        "import os, sys\n"
        "from llmmon.errors import SourceUnavailableError\n"
        "from llmmon.sources.files import read_new_lines\n"
        "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "try: list(read_new_lines(sys.argv[1], None, max_rows=1))\n"
        "except SourceUnavailableError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert f"{path}: cannot be read (" in done.stdout
    assert "may be read" in done.stdout


def test_a_url_of_any_file_system_is_read():
    """fsspec's memory file system stands for buckets, which have no inodes."""
    import fsspec

    system = fsspec.filesystem("memory")
    system.pipe("/logs/a.jsonl", b'{"n":1}\n')
    found, position = read("memory://logs/*.jsonl")
    assert found == ['{"n":1}']
    system.pipe("/logs/a.jsonl", b'{"n":1}\n{"n":2}\n')
    assert read("memory://logs/*.jsonl", position)[0] == ['{"n":2}']
    system.rm("/logs", recursive=True)


SOURCES = ("openai_jsonl", "otlp_json", "litellm_jsonl", "langfuse_export", "mapped_jsonl", "mapped_csv")
HEADER = b"n\n"


class Log:
    """A log that a source follows, row by row; what was read is known by the number in it."""

    def __init__(self, plugin, folder):
        fields = {"occurred_at": "n", "model": "n"}
        needed = {"fields": fields} if plugin.startswith("mapped_") else {}
        self.source = sources.create(plugin, {"path": f"{folder}/log*", **needed}, where="test")
        self.header = HEADER if plugin == "mapped_csv" else b""
        self.plugin, self.path, self.position = plugin, folder / "log", None

    def rows(self, *numbers):
        """Return rows as the plug-in's format has them."""
        if self.plugin == "mapped_csv":
            return b"".join(b"%d\n" % number for number in numbers)
        row = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"n":%d}]}]}]}\n'
        return b"".join((row if self.plugin == "otlp_json" else b'{"n":%d}\n') % number for number in numbers)

    def new(self):
        """Return the numbers of the rows that are new."""
        found = []
        for batch in self.source.read(self.position, max_rows=2):
            found += [int(re.findall(rb"\d+", row.raw)[-1]) for row in batch.rows]
            self.position = json.loads(json.dumps(batch.position))
        return found


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("plugin", SOURCES)
def test_every_source_of_lines_follows_its_files(tmp_path, plugin, pack):
    """Growing, rotated by rename, truncated, replaced in place, replaced by another file, and gone."""
    log = Log(plugin, tmp_path)

    def write(path, *numbers):
        path.write_bytes(pack(log.header + log.rows(*numbers)))

    write(log.path, 1, 2, 3)
    assert log.new() == [1, 2, 3]
    write(log.path, 1, 2, 3, 4, 5)
    assert log.new() == [4, 5]
    # rename and a new file; the old one still grows
    old = log.path.rename(tmp_path / "log.1")
    write(old, 1, 2, 3, 4, 5, 6)
    write(log.path, 7)
    assert sorted(log.new()) == [6, 7]
    assert log.new() == []
    # truncated in place, and written again: shorter, and longer than before
    write(log.path, 8)
    assert log.new() == [8]
    write(log.path, 9, 10, 11)
    assert log.new() == [9, 10, 11]
    # replaced by another file of the same name and size, as an atomic rename does
    write(tmp_path / "next", 9, 10, 12)
    (tmp_path / "next").rename(log.path)
    assert log.new()[-1] == 12
    assert log.new() == []
    old.unlink()
    write(log.path, 9, 10, 12, 13)
    assert log.new() == [13]
    log.path.unlink()
    with pytest.raises(SourceUnavailableError, match="no such file"):
        log.new()


@pytest.mark.parametrize("plugin", SOURCES)
def test_a_row_that_is_being_written_waits_for_its_end(tmp_path, plugin):
    """At every byte: never a part of a row, never a row twice, and in the end every row."""
    log = Log(plugin, tmp_path)
    whole = log.header + log.rows(1, 22, 333)
    found = []
    for end in range(len(whole) + 1):
        log.path.write_bytes(whole[:end])
        found += log.new()
    assert found == [1, 22, 333]
