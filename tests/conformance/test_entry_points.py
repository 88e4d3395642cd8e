"""A package that llmmon does not know brings a scorer along."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "plugin_package"
PROGRAM = """
import json
from llmmon.model import Scorable
from llmmon.scorers.base import scorers
response = Scorable(
    request_key=1, lane="logged", variant="as_logged", repeat=0, messages=(), documents=(), text="STOP it"
)
scorer = scorers.create("shouting", {"min_letters": 2}, where="here")
print(json.dumps([scorer.plugin_name, scorer.score(response).value, "refusal" in scorers.names()]))
"""


def run(program: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run `program` in a fresh interpreter that finds packages in `path`."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(PACKAGE.parents[1])])}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)


def test_an_installed_package_adds_a_scorer(tmp_path: Path) -> None:
    """A module and its dist-info on the path are enough; the scorer works and llmmon's own are still there."""
    shutil.copytree(PACKAGE, tmp_path, dirs_exist_ok=True)
    found = run(PROGRAM, tmp_path)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout) == ["shouting", 4 / 6, True]


def test_a_package_cannot_take_a_name_of_llmmon(tmp_path: Path) -> None:
    """Two claims to one name end in an error that says who they are."""
    shutil.copytree(PACKAGE, tmp_path, dirs_exist_ok=True)
    points = tmp_path / "llmmon_shouting-1.0.dist-info" / "entry_points.txt"
    points.write_text(points.read_text().replace("shouting =", "refusal ="))
    found = run(PROGRAM, tmp_path)
    assert found.returncode == 1
    assert "DuplicatePluginError: scorers: 'refusal' is claimed by llmmon.scorers.refusal.Refusal" in found.stderr
