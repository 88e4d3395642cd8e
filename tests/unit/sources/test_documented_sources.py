"""The examples of the documentation can be copied: each is a source that can be built."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from llmmon.config import SourceConfig
from llmmon.sources.base import sources

DOCS = Path(__file__).parents[3] / "docs"
EXAMPLES = [
    (name, source)
    for text in (
        *re.findall(r"```toml\n(.*?)```", (DOCS / "logs.md").read_text("utf-8"), re.DOTALL),
        *(path.read_text("utf-8") for path in sorted((DOCS / "mappings").glob("*.toml"))),
    )
    for name, source in tomllib.loads(text).get("sources", {}).items()
]


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_an_example_is_a_source(name, example):
    """With its gate and the parameters of its reader."""
    source = SourceConfig.model_validate(example)
    built = source.read.create(sources, where=name)
    assert built.plugin_name == source.read.type


def test_every_reader_is_shown():
    """As an example, or as the format that is read by default."""
    shown = {source["read"]["type"] for _, source in EXAMPLES}
    assert shown | {"openai_jsonl"} == set(sources.names())
