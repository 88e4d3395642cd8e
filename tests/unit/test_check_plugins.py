"""A configuration's plug-ins are built before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmmon.config import load_config
from llmmon.errors import LlmmonError
from llmmon.pipeline.check_plugins import check_plugins
from llmmon.pipeline.watches import detector_of
from tests.unit.test_config import COUNTERFACTUAL

ROOT = Path(__file__).parents[2]
STARTER = ROOT / "llmmon" / "cli" / "starter.toml"


@pytest.mark.parametrize("name", ["dags/llmmon.toml", "dags/llmmon.production.toml", "llmmon/cli/starter.toml"])
def test_the_shipped_files_name_plug_ins_that_there_are(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every plug-in of the shipped configurations exists and takes its parameters."""
    monkeypatch.setenv("WAREHOUSE_URL", "postgresql://reader@localhost/warehouse")

    check_plugins(load_config(ROOT / name))


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ('judge = "refusal"', 'judge = "refusl"', r"deployments.my-model.scorers.refusal.judge: scorers: no 'refusl'"),
        ('type = "score_mean"', 'type = "score_maen"', r"monitors.refusal-rate.metric: metrics: no 'score_maen'"),
        ("quantile = 0.95", "quantil = 0.95", r"latency-p95.metric: .* has no parameter 'quantil'"),
    ],
)
def test_a_misspelt_plug_in_names_its_place(tmp_path: Path, right: str, wrong: str, message: str) -> None:
    """The error says which key is wrong and what there is."""
    path = tmp_path / "llmmon.toml"
    path.write_text(STARTER.read_text("utf-8").replace(right, wrong, 1), "utf-8")

    with pytest.raises(LlmmonError, match=message):
        check_plugins(load_config(path))


@pytest.mark.parametrize(
    ("n_windows", "hours", "detector"),
    [
        (167, 1, "reference_change"),
        (168, 1, "seasonal_change"),
        (7, 24, "reference_change"),
        (24, 24, "seasonal_change"),
    ],
)
def test_a_monitor_without_a_detector_gets_one_that_its_reference_is_enough_for(
    tmp_path: Path, n_windows: int, hours: int, detector: str
) -> None:
    """A week of hours shows the rhythm of a week; seven days do too, but are too few to learn it from."""
    path = tmp_path / "llmmon.toml"
    text = STARTER.read_text("utf-8").replace("reference_windows = 6 ", f"reference_windows = {n_windows} ")
    path.write_text(text.replace("window_hours = 1 ", f"window_hours = {hours} "), "utf-8")
    config = load_config(path)
    check_plugins(config)
    deployment = config.deployments["my-model"]
    monitor = deployment.monitors["refusal-rate"]
    assert detector_of(deployment, monitor, length=config.window_length, where="here").plugin_name == detector


def test_a_deployment_that_only_a_judge_watches_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Length and refusals say nothing of truth; with groundedness beside it there is nothing to warn of."""
    judge = 'opinion = { judge = { type = "llm_judge", base_url = "http://localhost/v1", model = "m" } }\n'
    begin = "[deployments.my-model.scorers]\n"
    path = tmp_path / "llmmon.toml"
    text = STARTER.read_text("utf-8")
    path.write_text(text.replace(begin, begin + judge, 1), "utf-8")
    check_plugins(load_config(path))
    assert "deployments.my-model.scorers: llm_judge is the only one that looks for wrong answers" in caplog.text
    caplog.clear()
    path.write_text(text.replace(begin, f'{begin}{judge}grounded = {{ judge = "groundedness" }}\n', 1), "utf-8")
    check_plugins(load_config(path))
    assert not caplog.text


def test_a_group_that_the_lexicon_does_not_have_is_told(tmp_path: Path) -> None:
    """The groups of a counterfactual table are those of the attribute."""
    path = tmp_path / "llmmon.toml"
    path.write_text(COUNTERFACTUAL.replace('["female"]', '["women"]'), "utf-8")
    with pytest.raises(
        LlmmonError, match=r"counterfactual.attributes.gender: no group 'women'; there are: male, female"
    ):
        check_plugins(load_config(path))
