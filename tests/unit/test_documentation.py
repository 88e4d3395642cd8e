"""The pages for users: every command has an example there, and every example is one that llmmon understands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from llmmon.cli import main

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "sql" / "compliance" / "README.md", *(ROOT / "docs").glob("*.md")])
SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command that does something."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


def examples(page: Path) -> Iterator[list[str]]:
    """Yield the words of every llmmon command in the shell blocks of a page, as the shell would split them."""
    for block in SHELL.findall(page.read_text("utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            words = [word for word in shlex.split(line, comments=True) if not re.match("[A-Z_]+=", word)]
            if words and words[0] in {"llmmon", ".venv/bin/llmmon"}:
                end = next((place for place, word in enumerate(words) if word in {">", "|", "&&"}), len(words))
                yield words[1:end]


def understood(words: list[str]) -> tuple[str, ...]:
    """Return the command that some words call; `click.UsageError` when it would refuse them."""
    command: click.Command = main
    context = click.Context(main)
    path: tuple[str, ...] = ()
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, words)
        assert name is not None
        assert found is not None
        command, path = found, (*path, name)
    command.make_context(" ".join(path), list(words), parent=context)
    return path


@pytest.fixture
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand where the folder is that the examples read."""
    (tmp_path / "received").mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("command", list(commands(main)), ids=" ".join)
def test_every_command_has_an_example(command: tuple[str, ...]) -> None:
    """In docs/commands.md."""
    assert command in [understood(words) for words in examples(ROOT / "docs" / "commands.md")]


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_example_is_understood(page: Path) -> None:
    """No page tells of a command or an option that there is not."""
    for words in examples(page):
        understood(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file that is there, and to a heading that is in it."""
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text("utf-8")):
        name, _, heading = target.partition("#")
        there = (page.parent / name) if name else page
        assert there.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", there.read_text("utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, target
