"""The configuration: what it accepts, and how it says what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmmon.config import load_config
from llmmon.errors import ConfigError

MINIMAL = """
[sources.logs]
read = { type = "openai_jsonl", path = "${here}/logs.jsonl" }

[deployments.chat]
source = "logs"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "llmmon.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_minimal_file_is_enough(tmp_path: Path) -> None:
    """A source and a deployment make a configuration; the rest has defaults."""
    config = load_config(write(tmp_path, MINIMAL))

    assert config.alpha == 0.05
    assert config.sources["logs"].read.parameters["path"] == f"{tmp_path.resolve()}/logs.jsonl"
    assert config.deployments["chat"].reference_windows == 6


def test_the_digest_tells_configurations_apart_but_not_machines(tmp_path: Path) -> None:
    """The digest covers what was written, not where the file lies."""
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()

    assert load_config(write(first, MINIMAL)).digest == load_config(write(second, MINIMAL)).digest
    assert load_config(write(first, "alpha = 0.01\n" + MINIMAL)).digest != load_config(write(second, MINIMAL)).digest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MINIMAL + "colour = 1\n", "deployments.chat.colour: unknown key"),
        ("alpha = 2\n" + MINIMAL, "alpha: Input should be less than 1, got 2"),
        ("alpha = 'often'\n" + MINIMAL, "alpha: Input should be a valid number"),
        (
            MINIMAL.replace('source = "logs"', 'source = "log"'),
            "deployments.chat.source: no 'log' is defined; there are: logs",
        ),
        (MINIMAL.replace('source = "logs"', ""), "deployments.chat.source: missing"),
        (MINIMAL + "active_from = 2023-06-27T05:00:00\n", "expected a time with a zone"),
        (
            MINIMAL + '[deployments.chat.lanes.r]\nbackend = "gpu"\n',
            "lanes.r.backend: no 'gpu' is defined; there are: none",
        ),
        (
            MINIMAL
            + '[deployments.chat.monitors.m]\nmetric = {type = "score_mean", scorer = "tone"}\nmin_effect = 1\n',
            "monitors.m.metric.scorer: no 'tone' is defined",
        ),
        (
            MINIMAL + '[deployments.chat.monitors.m]\nmetric = "volume"\n',
            "deployments.chat.monitors.m.min_effect: missing",
        ),
        ("[sources", "not valid TOML"),
        (
            MINIMAL.replace("${here}", "${LLMMON_NOT_SET_ANYWHERE}"),
            "the environment variable LLMMON_NOT_SET_ANYWHERE is not set",
        ),
    ],
)
def test_an_error_names_the_key_and_what_was_expected(tmp_path: Path, text: str, expected: str) -> None:
    """Each mistake is told with the file, the key and the expectation."""
    path = write(tmp_path, text)

    with pytest.raises(ConfigError) as caught:
        load_config(path)

    assert str(path) in str(caught.value)
    assert expected in str(caught.value)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """Without a file the error points to `llmmon init`."""
    with pytest.raises(ConfigError, match="llmmon init"):
        load_config(tmp_path / "absent.toml")


def test_variables_fall_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`${NAME:-value}` takes the environment when it is set and the value when it is not."""
    path = write(tmp_path, 'ui_url = "http://${LLMMON_TEST_HOST:-localhost}:1"\n' + MINIMAL)

    assert load_config(path).ui_url == "http://localhost:1"

    monkeypatch.setenv("LLMMON_TEST_HOST", "monitor.example.com")

    assert load_config(path).ui_url == "http://monitor.example.com:1"


@pytest.mark.parametrize("path", ["dags/llmmon.toml", "llmmon/cli/starter.toml"])
def test_the_shipped_files_are_valid(path: str) -> None:
    """The demo's configuration and the one `llmmon init` writes load."""
    config = load_config(Path(__file__).parents[2] / path)

    assert config.deployments
