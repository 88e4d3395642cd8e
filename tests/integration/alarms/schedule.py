"""Random things that happen to a deployment: windows in any order, late rows, gaps, restarts, other rules."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llmmon.config import Config, load_config
from llmmon.model import Estimate, Measurement, Provenance
from llmmon.pipeline.change_alert import change_alert
from llmmon.pipeline.detect import detect
from llmmon.store.coverage import close_stage, lock_accounts
from llmmon.store.database import Database, execute, fetch
from llmmon.store.measurement import PROVISIONAL, keep_measurement
from llmmon.store.provenance import remember
from tests.integration.alarms.measured import TOML, window

SEGMENTS = ("all", "route=chat", "route=code")
N_WINDOWS = 30
Action = Callable[[Database], None]


def rules(folder: Path, *, alpha: float = 0.05, min_effect: float = 0.1, with_latency: bool = True) -> Config:
    """Return a configuration; what is asked for differs from the usual."""
    text = TOML.replace("alpha = 0.05", f"alpha = {alpha}").replace("min_effect = 0.1", f"min_effect = {min_effect}")
    path = folder / "llmmon.toml"
    path.write_text(text if with_latency else text[: text.index("[deployments.survey.monitors.latency]")], "utf-8")
    return load_config(path)


def estimate_of(chance: random.Random, monitor: str, hour: int) -> Estimate:
    """Return a level that shifts at hour 9 and 20, with noise, and now and then nothing."""
    if chance.random() < 0.08:
        return Estimate.absent("no requests")
    shift = (0.0, 0.5, 0.2)[(hour >= 9) + (hour >= 20)]
    value = 0.02 + 0.01 * chance.random() + shift * (chance.random() < 0.9)
    value = 2000 * (1 + value) if monitor == "latency" else value
    return Estimate(value=value, n=100, low=value * 0.97, high=value * 1.03)


def measured(hour: int, estimates: dict[tuple[str, str], Estimate]) -> Action:
    """Return what stores one window's measurements and closes its stage, as `measure` does."""

    def act(database: Database) -> None:
        with database.transaction() as connection:
            lock_accounts(connection, ["survey"], shared=False)
            made = Provenance(kind="metrics", plugin="given", parameters={}, code_version="0", config_digest="")
            number = remember(connection, made)
            for (monitor, segment), estimate in estimates.items():
                item = Measurement(
                    deployment="survey",
                    monitor=monitor,
                    segment=segment,
                    window=window(hour),
                    estimate=estimate,
                    unit="1",
                )
                keep_measurement(connection, item, number)
            close_stage(connection, "survey", window(hour), "measure", [])

    return act


def given_up(hour: int) -> Action:
    """Return what gives up one window's measure stage."""

    def act(database: Database) -> None:
        with database.transaction() as connection:
            close_stage(connection, "survey", window(hour), "measure", [], state="expired", reason="too late")

    return act


def late_row(hour: int) -> Action:
    """Return what marks a window dirty, as loading a late row does."""

    def act(database: Database) -> None:
        with database.transaction() as connection:
            execute(connection, "window_stage/dirty", {"deployment": "survey", "window_start": window(hour).start})

    return act


def decided(chance: random.Random, config: Config) -> Action:
    """Return what resolves or reopens one of the alerts there are."""
    draw = chance.random()

    def act(database: Database) -> None:
        with database.transaction() as connection:
            found = fetch(connection, "alert/of_deployments", {"deployments": ["survey"]})
        if found:
            alert = found[int(draw * len(found))]
            event: Any = "reopened" if alert.state == "resolved" else "resolved"
            change_alert(database, alert.alert_id, event, actor="mira", note=None, config_digest=config.digest)

    return act


def schedule(seed: int, folder: Path, *, changing: bool) -> list[tuple[Action, Config]]:
    """Return what happens, each with the configuration of that time; a detection may follow each.

    Parameters
    ----------
    changing : bool
        Whether anything happens that leaves traces in alerts: other values, decisions of people, other rules.
    """
    chance = random.Random(seed)
    usual = config = rules(folder)
    streams = [(monitor, segment) for monitor in ("refusal-rate", "latency") for segment in SEGMENTS]

    def draw(hour: int) -> dict[tuple[str, str], Estimate]:
        return {key: estimate_of(chance, key[0], hour) for key in streams if key[1] == "all" or chance.random() < 0.6}

    values = {hour: draw(hour) for hour in range(N_WINDOWS)}
    todo, done, dirty, happened = list(range(N_WINDOWS)), [], [], []
    while todo or dirty:
        what = chance.random()
        if dirty and (what < 0.3 or not todo):
            hour = dirty.pop(chance.randrange(len(dirty)))
            if changing and chance.random() < 0.7:
                values[hour] = {**values[hour], **draw(hour)}
            if changing and chance.random() < 0.2:
                happened.append(given_up(hour))
            else:
                happened.append(measured(hour, values[hour]))
            done.append(hour)
        elif done and what < 0.45:
            hour = done.pop(chance.randrange(len(done)))
            happened.append(late_row(hour))
            dirty.append(hour)
        elif changing and what < 0.52:
            happened.append(decided(chance, config))
        elif todo:
            hour = todo.pop(min(chance.choice([0, 0, 0, 0, 1, 2]), len(todo) - 1))
            if chance.random() < 0.1:
                waiting = Estimate.absent("reference not complete", detail={PROVISIONAL: True})
                happened.append(measured(hour, dict.fromkeys(values[hour], waiting)))
                dirty.append(hour)
            else:
                happened.append(measured(hour, values[hour]))
                done.append(hour)
    changes = [usual] * 9 + [
        rules(folder, alpha=0.01),
        rules(folder, min_effect=0.3),
        rules(folder, with_latency=False),
    ]
    return [(act, chance.choice(changes) if changing and chance.random() < 0.3 else usual) for act in happened]


def detect_anew(database: Database, config: Config) -> None:
    """Run a detection that begins every stream anew and decides on every window again."""
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE llmmon.detection SET rules = '{\"window_hours\": 1}'")
    detect(database, config, "survey")
