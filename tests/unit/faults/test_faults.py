"""Each fault plants what it says, to the row, and nothing else."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas
import pytest

from llmmon.faults.base import Shadow, faults
from llmmon.metrics.base import WindowData
from llmmon.metrics.bias.counterfactual_gap import CounterfactualGap
from llmmon.model import Document, Message, Scorable
from llmmon.scorers.base import scorers
from llmmon.store.frames import Frames
from tests.windows import make_window, scored

N = 40
ANSWER = "The tower opened in 1889. It stands 324 metres tall."
SWAPPED = {"rule": "attribute_swap", "attribute": "gender", "groups": ["male", "female"]}
SHARES = ("error_share", "refusal_share", "unsupported_share", "wrong_share", "missing_scores")


def shadow(seed: int = 1, **columns: Any) -> Shadow:
    """Return a window of 40 requests: 30 on chat and 10 on code, 4 of them failed, each answer scored four times."""
    failed = {7, 17, 27, 37}
    columns = {
        "route": ["chat"] * 30 + ["code"] * 10,
        "status": ["error" if key in failed else "ok" for key in range(N)],
        "response_text": [None if key in failed else f"{ANSWER} {key}" for key in range(N)],
        "latency_ms": [np.nan if key in failed else 100.0 + key for key in range(N)],
        "ttft_ms": [np.nan if key in failed else 10.0 for key in range(N)],
        "n_output_tokens": [np.nan if key in failed else 12.0 for key in range(N)],
        **columns,
    }
    values = {"refusal": 0.0, "words": 11.0, "groundedness": 1.0, "correctness": 1.0}
    rows = [
        row
        for name, value in values.items()
        for row in scored([None if key in failed else value for key in range(N)], scorer=name)
    ]
    data = make_window(N, scores=rows, responses=[{"request_key": 3, "text": "x"}], **columns)
    answers = {
        int(row.request_key): Scorable(
            request_key=int(row.request_key),
            lane="logged",
            variant="as_logged",
            repeat=0,
            messages=(Message(role="user", content="How tall is the tower?"),),
            documents=(Document(content="The tower stands 324 metres tall and opened in 1889."),),
            text=row.response_text,
            reference_answer="324 metres",
        )
        for row in data.requests.itertuples()
    }
    judges = {"refusal": "refusal", "words": "length", "groundedness": "groundedness", "correctness": "correctness"}
    return Shadow(
        frames=frames_of(data),
        answers=answers,
        scorers={name: scorers.create(kind, {}, where="here") for name, kind in judges.items()},
        rng=np.random.default_rng(seed),
    )


def frames_of(data: WindowData) -> Frames:
    """Return the tables of a window."""
    return Frames(**{field.name: getattr(data, field.name) for field in dataclasses.fields(Frames)})


def plant(name: str, size: float, given: Shadow | None = None, **parameters: Any) -> tuple[Frames, Frames]:
    """Return the frames before and after."""
    given = given or shadow()
    fault = faults.create(name, {"size": size, **parameters}, where="here")
    return given.frames, fault.plant(given)


def values(frames: Frames, scorer: str) -> pandas.Series[float]:
    """Return the values of one scorer by request."""
    rows = frames.scores
    return rows[rows["scorer"] == scorer].set_index("request_key")["value"].sort_index()


def same(one: Frames, other: Frames) -> bool:
    """Return whether both hold the same rows."""
    return all(
        getattr(one, field.name).reset_index(drop=True).equals(getattr(other, field.name).reset_index(drop=True))
        for field in dataclasses.fields(Frames)
    )


@pytest.mark.parametrize("name", faults.names())
def test_the_size_of_nothing_changes_nothing(name: str) -> None:
    """Planted at the size that is none, the rows are as they were."""
    before, after = plant(name, faults.get(name).nothing)
    assert same(before, after)


@pytest.mark.parametrize("name", faults.names())
def test_what_is_given_stays_as_it_is(name: str) -> None:
    """A fault changes a copy."""
    given = shadow()
    plant(name, faults.get(name).sizes[-1], given)
    assert same(given.frames, shadow().frames)


@pytest.mark.parametrize("name", faults.names())
def test_the_seed_decides(name: str) -> None:
    """One seed plants one change."""
    size = faults.get(name).sizes[0 if name == "volume_factor" else -1]
    assert same(plant(name, size, shadow(seed=4))[1], plant(name, size, shadow(seed=4))[1])


@pytest.mark.parametrize("name", faults.names())
def test_sizes_grow_away_from_nothing(name: str) -> None:
    """The sizes tried go from the smallest change to the largest."""
    cls = faults.get(name)
    away = [abs(np.log(size) if cls.nothing else size) for size in cls.sizes]
    assert away == sorted(away)
    assert away[0] > 0


@pytest.mark.parametrize("name", faults.names())
def test_an_empty_window_stays_empty(name: str) -> None:
    """A window without requests has nothing to hit."""
    data = make_window(0)
    empty = frames_of(data)
    given = dataclasses.replace(shadow(), frames=empty, answers={})
    _, after = plant(name, faults.get(name).sizes[-1], given)
    assert len(after.requests) == 0


def test_latency_factor_multiplies_both_times() -> None:
    """End to end and to the first token, 1.5 times."""
    before, after = plant("latency_factor", 1.5)
    for column in ("latency_ms", "ttft_ms"):
        np.testing.assert_allclose(after.requests[column], before.requests[column] * 1.5)


def test_ttft_factor_delays_the_end_by_what_it_adds() -> None:
    """10 ms become 40 ms, and every answer ends 30 ms later."""
    before, after = plant("ttft_factor", 4.0)
    assert set(after.requests["ttft_ms"].dropna()) == {40.0}
    assert set((after.requests["latency_ms"] - before.requests["latency_ms"]).dropna()) == {30.0}


def test_ttft_factor_leaves_a_log_without_ttft() -> None:
    """Where no TTFT is logged, latency stays."""
    before, after = plant("ttft_factor", 4.0, shadow(ttft_ms=np.nan))
    assert same(before, after)


def test_error_share_rises_by_exactly_the_planned_number() -> None:
    """A tenth of 40 requests: 4 fail beyond the 4 that did, and lose answer, time and scores."""
    before, after = plant("error_share", 0.1)
    failed = after.requests["status"] == "error"
    assert int((before.requests["status"] == "error").sum()) == 4
    assert int(failed.sum()) == 8
    assert after.requests.loc[failed, ["response_text", "latency_ms", "n_output_tokens"]].isna().all(axis=None)
    planted = after.requests.loc[after.requests["error_type"] == "planted", "request_key"]
    assert len(planted) == 4
    assert not after.scores["request_key"].isin(planted).any()
    assert len(after.scores) == len(before.scores) - 4 * 4


def test_error_share_fails_at_most_every_request() -> None:
    """Beyond what there is, there is nothing to hit."""
    _, after = plant("error_share", 1.0)
    assert set(after.requests["status"]) == {"error"}


def test_refusals_rise_by_exactly_the_planned_number_and_every_score_follows() -> None:
    """A quarter of 36 answers: 9 refusals of 8 words, which are wrong, and claim nothing that a document supports."""
    _, after = plant("refusal_share", 0.25)
    assert values(after, "refusal").sum() == 9
    assert (values(after, "words") == 8).sum() == 9
    assert (values(after, "correctness") == 0).sum() == 9
    assert set(after.requests["response_text"].dropna().str.startswith("I'm sorry")) == {True, False}
    assert len(after.scores) == 4 * N


@pytest.mark.parametrize(("name", "scorer"), [("unsupported_share", "groundedness"), ("wrong_share", "correctness")])
def test_only_one_scorer_is_lowered(name: str, scorer: str) -> None:
    """Half of 36 judged answers: 18 values become 0, and the other scorers say what they said."""
    before, after = plant(name, 0.5)
    assert (values(after, scorer) == 0).sum() == 18
    for other in {"refusal", "words", "groundedness", "correctness"} - {scorer}:
        assert values(after, other).equals(values(before, other))


def test_missing_scores_lose_value_and_say_why() -> None:
    """Half of 36 answers lose all their scores, with a reason."""
    _, after = plant("missing_scores", 0.5)
    assert {int(values(after, name).notna().sum()) for name in ("refusal", "words")} == {18}
    assert (after.scores["reason"] == "planted: the score is missing").sum() == 18 * 4


@pytest.mark.parametrize(("size", "n_words"), [(0.5, 6), (0.25, 3), (2.0, 22)])
def test_length_factor_cuts_or_repeats(size: float, n_words: int) -> None:
    """Eleven words become 6 (half, upwards), 3 or 22."""
    _, after = plant("length_factor", size)
    assert set(after.requests["response_text"].dropna().str.split().str.len()) == {n_words}
    assert set(values(after, "words").dropna()) == {float(n_words)}


def test_answers_of_the_busiest_route_come_on_the_others() -> None:
    """A ninth of 36 answers: 4 of the 9 answers on code are answers that chat was given."""
    before, after = plant("answer_swap", 1 / 9)
    changed = after.requests["response_text"].fillna("") != before.requests["response_text"].fillna("")
    assert int(changed.sum()) == 4
    assert set(after.requests.loc[changed, "route"]) == {"code"}
    chat = before.requests.loc[before.requests["route"] == "chat", "response_text"]
    assert after.requests.loc[changed, "response_text"].isin(chat).all()


def test_on_one_route_no_request_gets_its_own_answer() -> None:
    """All 36 answers are swapped."""
    before, after = plant("answer_swap", 1.0, shadow(route="chat"))
    changed = after.requests["response_text"].fillna("") != before.requests["response_text"].fillna("")
    assert int(changed.sum()) == 36


def test_category_shift_moves_the_mix_and_keeps_the_number() -> None:
    """A tenth of 40 requests: 4 leave code, 4 more come on chat, with scores of their own."""
    before, after = plant("category_shift", 0.1)
    assert after.requests["route"].value_counts().to_dict() == {"chat": 34, "code": 6}
    assert after.requests["request_key"].is_unique
    new = after.requests.loc[~after.requests["request_key"].isin(before.requests["request_key"]), "request_key"]
    assert len(new) == 4
    assert after.scores["request_key"].isin(new).sum() == 4 * 4


def test_category_shift_needs_two_categories() -> None:
    """One route stays one route."""
    before, after = plant("category_shift", 0.5, shadow(route="chat"))
    assert same(before, after)


@pytest.mark.parametrize(("size", "n"), [(0.75, 30), (1.5, 60), (2.5, 100)])
def test_volume_factor_gives_exactly_so_many_requests(size: float, n: int) -> None:
    """Of 40 requests 30, 60 or 100, each with its scores."""
    _, after = plant("volume_factor", size)
    assert len(after.requests) == n
    assert after.requests["request_key"].is_unique
    assert len(after.scores) == 4 * n


@pytest.mark.parametrize("name", SHARES)
def test_a_larger_share_hits_the_rows_of_a_smaller_one(name: str) -> None:
    """What 0.1 hits, 0.5 hits."""
    before, small = plant(name, 0.1)
    _, large = plant(name, 0.5)

    def touched(frames: Frames) -> set[int]:
        old = before.scores.set_index(["request_key", "scorer"])["value"]
        new = frames.scores.set_index(["request_key", "scorer"])["value"].reindex(old.index)
        moved = ~((old == new) | (old.isna() & new.isna()))
        return {int(key) for key, _ in old.index[moved]}

    assert touched(small)
    assert touched(small) < touched(large)


def test_a_group_gap_is_planted_on_the_side_of_the_second_group() -> None:
    """Half of 8 pairs: her answer becomes a refusal, which is the swapped one or the plain one; his stays."""
    given = shadow()
    rows = []
    for key in range(8):
        ways = ("male", "female") if key % 2 else ("female", "male")
        for variant, change in (
            ("as_logged", {}),
            ("attribute_swap", SWAPPED | dict(zip(("from", "to"), ways, strict=True))),
        ):
            rows.append({"request_key": key, "lane": "reference", "variant": variant, "value": 0.0, "change": change})
    scores = make_window(N, scores=rows).scores
    frames = dataclasses.replace(given.frames, scores=scores)
    _, after = plant("group_gap", 0.5, dataclasses.replace(given, frames=frames))
    refused = after.scores[after.scores["value"] == 1.0]
    assert len(refused) == 4
    assert {(row.request_key % 2, row.variant) for row in refused.itertuples()} <= {
        (1, "attribute_swap"),
        (0, "as_logged"),
    }
    metric = CounterfactualGap(scorer="refusal", lane="reference")
    window = dataclasses.replace(make_window(N), scores=after.scores)
    assert metric.compute(window, None).value == 0.5
