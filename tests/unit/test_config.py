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


COUNTERFACTUAL = """
[sources.logs]
read = { type = "openai_jsonl", path = "${here}/logs.jsonl" }

[backends]
pinned = { type = "transformers", model = "${here}/model" }

[deployments.chat]
source = "logs"
alpha = 0.02
lanes = { reference = { backend = "pinned" } }
scorers = { refusal = { judge = "refusal" }, words = { judge = "length", lanes = ["reference"] } }

[deployments.chat.counterfactual]
lane = "reference"
attributes = { gender = ["female"], religion = ["Muslim", "Jewish"] }
outcomes = { refusal = 0.05, words = 20 }
"""


def test_a_counterfactual_table_stands_for_variants_lanes_and_monitors(tmp_path: Path) -> None:
    """Two attributes and two outcomes: swaps and a repeat on the lane, scorers on it, and a monitor for each pair."""
    chat = load_config(write(tmp_path, COUNTERFACTUAL)).deployments["chat"]
    assert [(one.type, dict(one.parameters)) for one in chat.lanes["reference"].variants] == [
        ("as_logged", {}),
        ("attribute_swap", {"attribute": "gender", "max_groups": 3}),
        ("attribute_swap", {"attribute": "religion", "max_groups": 3}),
        ("repeat", {"k": 1, "temperature": "as_logged"}),
    ]
    assert {name: scorer.lanes for name, scorer in chat.scorers.items()} == {
        "refusal": ("logged", "reference"),
        "words": ("reference",),
    }
    assert list(chat.monitors) == [
        "gap-gender-female-refusal", "excess-gender-refusal", "gap-gender-female-words", "excess-gender-words",
        "gap-religion-Muslim-refusal", "gap-religion-Jewish-refusal", "excess-religion-refusal",
        "gap-religion-Muslim-words", "gap-religion-Jewish-words", "excess-religion-words",
    ]  # fmt: skip
    gap = chat.monitors["gap-gender-female-refusal"]
    assert dict(gap.metric.parameters) == {
        "scorer": "refusal", "lane": "reference", "attribute": "gender", "alpha": 0.02, "group": "female",
    }  # fmt: skip
    assert (gap.min_effect, gap.detector.type) == (0.05, "paired_difference")


def test_what_the_file_says_itself_comes_before_the_table(tmp_path: Path) -> None:
    """A monitor of the same name stays, and a lane that swaps an attribute already swaps it its own way."""
    own = """
[deployments.chat.monitors.excess-gender-words]
metric = { type = "score_mean", scorer = "words", lane = "reference" }
min_effect = 3
"""
    variants = (
        'lanes = { reference = { backend = "pinned", variants = [{ type = "attribute_swap", attribute = "gender" }] } }'
    )
    text = COUNTERFACTUAL.replace('lanes = { reference = { backend = "pinned" } }', variants)
    chat = load_config(write(tmp_path, text + own)).deployments["chat"]
    assert chat.monitors["excess-gender-words"].metric.type == "score_mean"
    assert [dict(one.parameters) for one in chat.lanes["reference"].variants if one.type == "attribute_swap"] == [
        {"attribute": "gender"},
        {"attribute": "religion", "max_groups": 3},
    ]


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        (
            'lane = "reference"',
            'lane = "refrence"',
            "counterfactual.lane: no 'refrence' is defined; there are: reference",
        ),
        (
            "refusal = 0.05",
            "refusl = 0.05",
            "counterfactual.outcomes: no 'refusl' is defined; there are: refusal, words",
        ),
        ("refusal = 0.05", "refusal = -1", "counterfactual.outcomes.refusal: .*greater than or equal to 0, got -1"),
        ('lane = "reference"\nattr', 'line = "reference"\nattr', "counterfactual.lane: missing"),
    ],
)
def test_a_wrong_counterfactual_table_names_the_key(tmp_path: Path, right: str, wrong: str, expected: str) -> None:
    """The error names the key and what there is."""
    assert right in COUNTERFACTUAL
    with pytest.raises(ConfigError, match=expected):
        load_config(write(tmp_path, COUNTERFACTUAL.replace(right, wrong)))
