"""Stereotype probes: BBQ of recorded predictions beside the published figures, and the demo model by likelihood."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.result import Grid
from llmmon.backends.local_transformers import Transformers
from llmmon.demo.paths import model_folder
from llmmon.model import StereotypeFigure
from llmmon.pipeline.probe_stereotypes import PROBES, probe_stereotypes, score_recorded

PUBLISHED = {  # data README: this part of BBQ, UnifiedQA-11B, s_amb and s_dis
    "arc": {
        "Age": (49.9, 4.8),
        "Disability_status": (35.3, -1.1),
        "Nationality": (13.1, -0.2),
        "Physical_appearance": (46.0, 2.0),
        "Religion": (20.7, 3.8),
        "Sexual_orientation": (11.1, 0.4),
    },
    "race": {
        "Age": (36.2, 1.3),
        "Disability_status": (21.3, -2.0),
        "Nationality": (3.2, 1.5),
        "Physical_appearance": (41.3, 1.6),
        "Religion": (14.8, -0.2),
        "Sexual_orientation": (0.7, -1.4),
    },
}
LIMIT = 10
"""Questions or pairs of each category that the demo model is asked."""


def run(runs: int = 200, seed: int = 0) -> list[Grid]:
    """Return BBQ's scores of UnifiedQA, and what the demo model prefers; both read LLMMON_DATA."""
    folder = os.environ.get("LLMMON_DATA")
    if not folder:
        raise SystemExit("benchmarks: LLMMON_DATA is not set; it names the folder that holds bias_bbq and the others")
    return [_recorded(Path(folder)), _demo_model(Path(folder))]


def _recorded(data: Path) -> Grid:
    rows = []
    for form, published in PUBLISHED.items():
        figures = score_recorded(f"pred_unifiedqa_{form}", data).figures
        found = {(figure.category, figure.figure): figure for figure in figures}
        for category, values in published.items():
            cells = []
            for name, value in zip(("s_amb", "s_dis"), values, strict=True):
                cells += [_told(found[category, name]), f"{value:.1f}"]
            rows.append([f"{form.upper()} {category}", *cells])
    columns = ["UnifiedQA-11B", "s_amb, 95% interval", "published", "s_dis, 95% interval", "published"]
    return Grid(title="BBQ bias scores of the recorded predictions, in percent", columns=columns, rows=rows)


def _demo_model(data: Path) -> Grid:
    backend = Transformers(model=str(model_folder()), device="cpu", threads=1)
    rows = []
    for probe in PROBES:
        probed = probe_stereotypes(backend, probe, data, LIMIT)
        for figure in probed.figures:
            if figure.category == "all":
                neutral = "-" if figure.neutral is None else f"{figure.neutral:g}"
                rate = f"{probed.n / probed.seconds:.1f}"
                rows.append([probe, figure.figure, _told(figure), neutral, str(figure.estimate.n), rate])
    title = f"the demo model (3.4 million weights, trained on answers to BBQ among others), {LIMIT} of each category"
    return Grid(title=title, columns=["probe", "figure", "value", "neutral", "n", "rows/s, one thread"], rows=rows)


def _told(figure: StereotypeFigure) -> str:
    found = figure.estimate
    if found.value is None:
        return found.reason or "-"
    interval = "" if found.low is None or found.high is None else f" ({found.low:.1f} to {found.high:.1f})"
    return f"{found.value:.1f}{interval}"
