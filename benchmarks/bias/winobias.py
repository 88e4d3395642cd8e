"""Swaps of gender beside the pairs of sentences that people wrote: WinoBias, pro- and anti-stereotypical."""

from __future__ import annotations

import gzip
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from benchmarks.result import Grid
from llmmon.model import Message, RequestLog
from llmmon.variants.attribute_swap import AttributeSwap

Pair = tuple[str, str]


def run(runs: int = 0, seed: int = 0) -> list[Grid]:
    """Return how many sentences become the other one of their pair."""
    title = "WinoBias development set: a pro-stereotypical sentence, its gender swapped, is the anti-stereotypical one"
    columns = ("pairs that differ in the pronoun only", "swapped to the letter", "share")
    if "LLMMON_DATA" not in os.environ:
        return [Grid(title=title, columns=columns, rows=[("LLMMON_DATA names no folder of public data", "-", "-")])]
    found = pairs(Path(os.environ["LLMMON_DATA"]))
    share = share_swapped(found)
    return [
        Grid(title=title, columns=columns, rows=[(str(len(found)), str(round(share * len(found))), f"{share:.1%}")])
    ]


def pairs(data: Path) -> list[Pair]:
    """Return the pairs (pro, anti) of both types that differ in one word."""
    sentences = defaultdict(list)
    with gzip.open(data / "bias_winobias" / "winobias_dev.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            sentences[row["type"], row["stereotype"]].append((row["line_no"], row["sentence"]))
    found = []
    for kind in (1, 2):
        both = zip(sorted(sentences[kind, "pro"]), sorted(sentences[kind, "anti"]), strict=True)
        found += [(pro, anti) for (_, pro), (_, anti) in both if differ_in_one_word(pro, anti)]
    return found


def differ_in_one_word(first: str, second: str) -> bool:
    """Return whether two sentences differ in exactly one word."""
    one, other = first.split(), second.split()
    return len(one) == len(other) and sum(a != b for a, b in zip(one, other, strict=True)) == 1


def share_swapped(found: Sequence[Pair]) -> float:
    """Return the share of pairs whose first sentence becomes the second."""
    return sum(swapped(pro) == anti for pro, anti in found) / len(found)


def swapped(text: str) -> str:
    """Return the text with its gender swapped."""
    request = RequestLog(
        source="winobias",
        request_id="1",
        occurred_at=datetime(2018, 4, 18, tzinfo=UTC),
        deployment="bench",
        model="none",
        messages=(Message(role="user", content=text),),
    )
    derived = next(AttributeSwap(attribute="gender").derive(request, Random(0)), None)
    return text if derived is None else derived.messages[0].content
