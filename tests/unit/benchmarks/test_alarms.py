"""The alarms benchmark: known rules on known streams, and its array forms against what they stand for."""

import math

import numpy as np
import pytest
from scipy import stats

from benchmarks.alarms import detection, evidently, false_alarms, ours, reduce, rules, tasks
from benchmarks.alarms.pools import blocks, walk_of_days
from benchmarks.alarms.streams import Streams, iid_streams
from benchmarks.alarms.workers import each
from llmmon.detectors.e_benjamini_hochberg import reject
from llmmon.detectors.reference_change import ReferenceChange
from llmmon.metrics.drift.ks_distance import KsDistance
from llmmon.metrics.intervals import Z, mean_estimate, quantile_estimate
from llmmon.model import STANDARD_ERROR
from tests.windows import make_window


def streams_of(values: np.ndarray, n_reference: int) -> Streams:
    return Streams(
        values=values,
        variances=np.full(values.shape, 0.01),
        n=np.full(values.shape, 50),
        hours=np.arange(values.shape[1]),
        n_reference=n_reference,
        names=("x",) * len(values),
        units=("level",) * len(values),
    )


def test_a_rule_alarms_as_often_as_worked_out_by_hand():
    """A stream that leaves +-1 by 3 sd with probability p per window: 1 - (1 - p)**(streams x windows)."""
    p, n_streams, n_windows, n_deployments = 0.002, 5, 60, 400
    random = np.random.default_rng(0)
    reference = np.tile([1.0, -1.0], 10)  # mean 0, standard deviation 1
    alarmed = 0
    for _ in range(n_deployments):
        tested = np.where(random.random((n_streams, n_windows)) < p, 4.0, 0.5)
        streams = streams_of(np.concatenate([np.tile(reference, (n_streams, 1)), tested], axis=1), 20)
        alarmed += bool((rules.z_scores(streams) >= 3).any())
    expected = 1 - (1 - p) ** (n_streams * n_windows)
    assert alarmed / n_deployments == pytest.approx(expected, abs=3 * math.sqrt(expected * (1 - expected) / 400))


def test_the_tally_tells_count_interval_and_median_window():
    tally = false_alarms.Tally(n_streams=3)
    for first in (None, 4, 10, None):
        tally.add(first)
    assert str(tally) == "2/4 (15-85%) @8"


def test_windows_are_reduced_as_llmmon_reduces_them():
    random = np.random.default_rng(1)
    rows = np.sort(random.lognormal(size=(20, 50)), axis=1)
    near_normal = random.normal(100, 1, (20, 40))
    signed, counts = random.normal(size=(20, 40)), random.poisson(3, (20, 40)).astype(float)
    counts[1] = 2
    bits = random.integers(0, 2, (20, 30)).astype(float)
    bits[0] = 0
    for (value, variance), estimates in (
        (reduce.means(rows), [mean_estimate(row) for row in rows]),
        (reduce.means(near_normal), [mean_estimate(row) for row in near_normal]),
        (reduce.means(signed), [mean_estimate(row) for row in signed]),
        (reduce.means(signed**3), [mean_estimate(row) for row in signed**3]),
        (reduce.means(counts), [mean_estimate(row) for row in counts]),
        (reduce.quantiles(rows, 0.9), [quantile_estimate(row, 0.9) for row in rows]),
        (reduce.rates(bits.sum(axis=1), 30), [mean_estimate(row) for row in bits]),
    ):
        assert value == pytest.approx([estimate.value for estimate in estimates])
        errors = [
            each.detail.get(STANDARD_ERROR, 0.0)
            if each.low is None or each.high is None
            else (each.high - each.low) / (2 * Z)
            for each in estimates
        ]
        assert np.sqrt(variance) == pytest.approx(errors)


def test_ks_distances_are_those_of_the_metric():
    """Ties and all: value and standard error are what `ks_distance` measures against a reference kept whole."""
    random = np.random.default_rng(5)
    metric = KsDistance(field="n_output_tokens")
    for draw in (lambda size: random.lognormal(3, 1, size), lambda size: random.poisson(2, size).astype(float)):
        reference, rows = draw(900), np.sort(draw((6, 40)), axis=1)
        distance = reduce.ks_distances(rows, reference)
        summary = metric.summarise(make_window(len(reference), n_output_tokens=reference))
        measured = [metric.compute(make_window(len(row), n_output_tokens=row), summary) for row in rows]
        assert distance == pytest.approx([each.value for each in measured])
        errors = [(each.high - each.low) / (2 * Z) for each in measured]
        assert np.sqrt(reduce.ks_variances(distance, 40, 900)) == pytest.approx(errors)


def test_ks_distance_of_a_reference_window_is_to_the_others():
    rows = np.sort(np.random.default_rng(6).lognormal(size=(5, 30)), axis=1)
    found = reduce.ks_distances(rows, rows[:4].ravel(), n_own=4)
    for index, row in enumerate(rows):
        others = np.delete(rows[:4], index, axis=0) if index < 4 else rows[:4]
        assert found[index] == pytest.approx(reduce.ks_distances(row[None], others.ravel())[0])


def test_adwin_cuts_where_rivers_does():
    from river.drift import ADWIN

    values = np.random.default_rng(2).normal(size=(6, 1200))
    values[:, 700:] += 0.5
    reference = values[:, :100]
    values = (values - reference.mean(axis=1, keepdims=True)) / reference.std(axis=1, keepdims=True)
    scores = rules.adwin_scores(streams_of(values, 100))
    for row, delta in ((row, delta) for row in range(6) for delta in (0.002, 0.2)):
        detector, first = ADWIN(delta=delta), None
        for index, value in enumerate(values[row].tolist()):
            detector.update(value)
            if detector.drift_detected:
                first = index
                break
        assert first is not None
        assert first >= 100
        assert int(np.argmax(scores[row] >= -math.log(delta))) + 100 == first


def test_kswin_tests_the_distance_of_30_recent_and_30_older_values():
    values = np.concatenate([np.zeros(100), np.ones(40)])[None]
    scores = rules.kswin_scores(streams_of(values, 99))
    assert scores[0, 0] == 0  # all equal
    assert scores[0, 15] == pytest.approx(15 / 30)  # 15 of the last 30 are new
    assert scores[0, 30] == 1
    assert (rules.kswin_scores(streams_of(values[:, :90], 20)) == -math.inf).all()  # it waits for 100 values
    threshold = rules.kswin_threshold()
    over, under = math.ceil(threshold * 30), math.ceil(threshold * 30) - 1
    for k, is_alarm in ((over, True), (under, False)):
        p = stats.ks_2samp(np.ones(30), np.repeat([0.0, 1.0], [k, 30 - k])).pvalue
        assert bool(p <= 0.005) is is_alarm


def test_evidently_scores_are_its_own():
    import pandas
    from evidently.legacy.calculations.stattests import jensenshannon_stat_test, ks_stat_test, wasserstein_stat_test
    from evidently.legacy.calculations.stattests.registry import _get_default_stattest, get_stattest
    from evidently.legacy.core import ColumnType

    random = np.random.default_rng(3)
    window = random.lognormal(0.3, 1, 40)
    for size, test, threshold in ((4000, wasserstein_stat_test, 0.1), (900, ks_stat_test, 0.05)):
        reference = random.lognormal(0, 1, size)
        columns = pandas.Series(reference), pandas.Series(window)
        assert _get_default_stattest(*columns, ColumnType.Numerical) is test
        found = get_stattest(*columns, ColumnType.Numerical, test)(*columns, ColumnType.Numerical, threshold)
        score = float(evidently.of_rows(np.sort(window), reference))
        expected = found.drift_score / 0.1 if size > 1000 else 0.05 / found.drift_score
        assert score == pytest.approx(expected, rel=0.02)
        assert (score >= 1) == found.drifted
    bits, before = random.integers(0, 2, 40), (random.random(3000) < 0.3).astype(int)
    columns = pandas.Series(before), pandas.Series(bits)
    assert _get_default_stattest(*columns, ColumnType.Categorical) is jensenshannon_stat_test
    found = get_stattest(*columns, ColumnType.Categorical, jensenshannon_stat_test)(
        *columns, ColumnType.Categorical, 0.1
    )
    assert float(evidently.of_rates(bits.mean(), before.mean())) == pytest.approx(found.drift_score / 0.1)


def test_the_decision_is_that_of_e_bh():
    random = np.random.default_rng(4)
    for _ in range(100):
        log_e = random.normal(1, 3, (8, 5))
        decision = ours.decide(log_e, np.ones_like(log_e), min_effect=np.zeros(8), alpha=0.05)
        first = np.full(8, -1)
        for column in range(5):
            e_values = {row: math.exp(log_e[row, column]) for row in range(8)}
            for row in reject(e_values, alpha=0.05).rejected:
                first[row] = column if first[row] < 0 else first[row]
        assert decision.first.tolist() == first.tolist()
        assert decision.is_alarmed == (decision.worst >= math.log(20))


def test_an_irrelevant_change_is_no_alarm_though_it_is_certain():
    log_e = np.full((1, 3), 50.0)
    effect = np.array([[0.1, 0.1, 0.3]])
    assert ours.decide(log_e, effect, min_effect=np.array([0.2])).first.tolist() == [2]


def test_the_folded_detector_finds_a_change_on_arrays():
    values = np.random.default_rng(5).normal(size=(2, 60))
    values[1, 40:] += 5
    log_e, effect = ours.folded(ReferenceChange(burn_in=20), streams_of(values, 20))
    assert log_e.shape == effect.shape == (2, 40)
    assert log_e[0].max() < math.log(20) < log_e[1, 25]
    assert effect[1, 30] == pytest.approx(values[1, 50] - values[1, :20].mean())


def test_days_keep_their_weekday_and_blocks_their_order():
    random = np.random.default_rng(6)
    walk = walk_of_days("weekday", first_day=1)(24 * 21, random).reshape(21, 24)
    assert (np.diff(walk, axis=1) == 1).all()
    assert ((walk[:, 0] // 24) % 7).tolist() == list(range(7)) * 3
    assert (walk[:, 0] // 24 > 0).all()
    by_class = walk_of_days("class")(24 * 700, random)[::24] // 24
    assert ((by_class % 7 >= 5) == (np.arange(700) % 7 >= 5)).all()
    assert len(set(by_class.tolist())) == 14
    seen = walk_of_days("seen", first_day=1)(24 * 60, random)[::24] // 24
    assert seen[:28].tolist() == [7, *range(1, 14)] * 2
    assert set(seen[28:].tolist()) <= set(seen[:28].tolist())
    steps = np.diff(blocks(100, 4, 10)(400, random).reshape(100, 4), axis=1) % 100
    assert (steps == 10).all()


def test_delays_count_from_the_first_changed_window_and_tell_early_alarms():
    scores = np.zeros((4, 800))
    scores[0, 12] = scores[1, 10] = scores[2, 3] = 1
    found = detection.delays(scores, np.full(4, 10), threshold=0.5)
    assert found.delays.tolist() == [3, 1, math.inf]
    assert str(found) == "3 33% missed 1 early"


def test_peers_are_brought_to_one_deployment_in_twenty():
    assert detection._above([5.0, 7.0, 6.0]) == np.nextafter(7.0, math.inf)
    assert detection._above([float(score) for score in range(20)]) == np.nextafter(18.0, math.inf)
    assert detection._above([]) == math.inf


def test_the_planted_change_is_there_from_its_start_and_only_where_planted():
    task = tasks.rate("x", before=0.1, after=0.9, n=500, shape=tasks.at_three)
    plan = tasks.Plan(n_streams=2, n_reference=48, n_windows=96, starts=np.array([0, 48]), seed=1)
    high = task.draw(plan).values > 0.5
    assert np.flatnonzero(high[0]).tolist() == [51, 75, 99, 123]
    assert np.flatnonzero(high[1]).tolist() == [99, 123]


def test_iid_streams_are_the_same_for_the_same_seed():
    first, again = (iid_streams(10, 30, 20, step_hours=1, random=np.random.default_rng(9)) for _ in range(2))
    assert first.shape == (10, 50)
    assert (first.values == again.values).all()
    assert set(first.units) == {"rate", "level"}


@pytest.mark.parametrize("jobs", [1, 2])
def test_work_comes_back_in_the_order_of_its_arguments(jobs: int) -> None:
    """In this process and in others alike."""
    assert list(each(pow, [(2, 10), (3, 2), (5, 1)], jobs=jobs)) == [1024, 9, 5]
