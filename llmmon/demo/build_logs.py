"""Make the demo's request logs from published answers of real models.

Run as ``python -m llmmon.demo.build_logs --data DIR``. ``DIR`` holds ``drift_llmdrift_2023/``, ``bias_bbq/`` and
``traces_azure_2023/``; ``logs/NOTICE.md`` names their sources and licences. What is real (prompts, answers, latency,
cost, tokens, labels, arrival pattern) is copied; what is invented (calendar, users, tenants, deployments) is drawn
from a fixed seed, so building twice gives the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import logging
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from llmmon.demo.arrivals import Arrivals
from llmmon.demo.paths import logs_folder
from llmmon.errors import SourceUnavailableError

log = logging.getLogger(__name__)

START = datetime(2023, 6, 27, 5, tzinfo=UTC)
"""Start of the first window."""
N_WINDOWS_EACH_SIDE = 7
"""Hours before the change at 12:00Z, and after it."""

SENSITIVE_ITEMS = frozenset(map(str, (14, 15, 19, 21, 30, 31, 33, 49, 52, 68, 71, 74, 87, 88, 90, 92, 98)))
"""Prompts about misconduct. Those that demean a group of people, and their answers, are left out."""

BBQ_CATEGORIES = {
    "Age": "age",
    "Disability_status": "disability",
    "Nationality": "nationality",
    "Physical_appearance": "appearance",
}
BBQ_PER_CELL_AND_HOUR = 9
"""Rows per category, polarity and condition in one hour: 4 x 2 x 2 x 9 = 144."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One recorded answer, ready to be given a time and a user."""

    route: str
    item: str
    stratum: str
    model: str
    request: dict[str, Any]
    prompt: str
    text: str
    n_output_tokens: int | None = None
    latency_ms: float | None = None
    cost_usd: float | None = None
    reference_answer: str | None = None
    documents: tuple[str, ...] = ()
    groups: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


def main() -> None:
    """Build every log file and say how much was written."""
    parser = argparse.ArgumentParser(prog="python -m llmmon.demo.build_logs", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with the public data sets")
    parser.add_argument("--out", type=Path, default=logs_folder(), metavar="DIR", help="where <deployment>/ folders go")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    build(arguments.data, arguments.out)


def build(data: Path, out: Path) -> None:
    """Write ``<deployment>/<hour>.jsonl.gz`` for every deployment and hour.

    Parameters
    ----------
    data : Path
        Folder with ``drift_llmdrift_2023/``, ``bias_bbq/`` and ``traces_azure_2023/``.
    out : Path
        Folder that receives one folder per deployment; files of the same name are replaced.

    Raises
    ------
    SourceUnavailableError
        When a data file is missing.
    """
    with _open(data / "traces_azure_2023" / "azure_conv.csv.gz") as lines:
        arrivals = Arrivals.from_azure(lines)
    for deployment, before, after in _deployments(data):
        hours = [*_deal(before, f"{deployment}/before"), *_deal(after, f"{deployment}/after")]
        folder = out / deployment
        folder.mkdir(parents=True, exist_ok=True)
        for number, answers in enumerate(hours):
            start = START + timedelta(hours=number)
            times = arrivals.take(len(answers), start)
            records = [_line(deployment, answer, at) for answer, at in zip(answers, times, strict=True)]
            path = folder / f"{start:%Y-%m-%dT%H}.jsonl.gz"
            # mtime=0 and no stored file name: the same rows give the same bytes.
            path.write_bytes(gzip.compress("".join(records).encode(), mtime=0))
        log.info("%s: %d requests in %d hours", deployment, sum(map(len, hours)), len(hours))


def _deployments(data: Path) -> Iterator[tuple[str, list[Answer], list[Answer]]]:
    """Name, answers before the change, answers after it."""
    drift = data / "drift_llmdrift_2023"
    mix = {"primes": "prime", "happy-numbers": "happynumber", "sensitive": "sensitiveq", "code": "leetcode"}
    assistant = [(route, row) for route, name in mix.items() for row in _read(drift / f"{name}.jsonl.gz")]
    survey = [("survey", row) for row in _read(drift / "opinionqa.jsonl.gz")]
    for deployment, rows, served, march, june in (
        ("assistant-gpt4", assistant, "gpt-4", "gpt-4-0314", "gpt-4-0613"),
        ("survey-gpt4", survey, "gpt-4", "gpt-4-0314", "gpt-4-0613"),
        ("survey-gpt35", survey, "gpt-3.5-turbo", "gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613"),
    ):
        yield deployment, list(_drift_answers(rows, march, served)), list(_drift_answers(rows, june, served))
    chosen = list(_choose_bbq(data / "bias_bbq"))
    yield (
        "rag-unifiedqa",
        [_bbq_answer(row, "pred_unifiedqa_race") for row in chosen],
        [_bbq_answer(row, "pred_unifiedqa_arc") for row in chosen],
    )


def _drift_answers(rows: Iterable[tuple[str, dict[str, Any]]], version: str, served: str) -> Iterator[Answer]:
    for route, row in rows:
        if row["model"].rpartition("/")[2] != version or (route == "sensitive" and row["id"] not in SENSITIVE_ITEMS):
            continue
        yield Answer(
            route=route,
            item=f"{row['dataset']}-{row['id']}",
            stratum=f"{route}/{row['dataset']}",
            model=served,
            request={"temperature": row["temperature"], "max_tokens": row["max_tokens"]},
            prompt=row["query"],
            text=row["answer"],
            n_output_tokens=row["answer_token"],
            latency_ms=round(row["latency"] * 1000, 3),
            cost_usd=round(row["cost"], 9),
            reference_answer=_reference(route, row["ref_answer"]),
        )


def _reference(route: str, published: str) -> str | None:
    if route == "primes":
        return published.lower()
    if route == "happy-numbers":
        return published  # \\boxed{n}, as the prompt asks for it
    return None  # the survey's is a dummy; code and sensitive questions have none


def _choose_bbq(folder: Path) -> Iterator[dict[str, Any]]:
    """Choose equally from each category, polarity and condition, spread over question templates."""
    for name in BBQ_CATEGORIES:
        cells: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for row in _read(folder / f"{name}.jsonl.gz"):
            cells[row["question_polarity"], row["context_condition"]].append(row)
        for cell, rows in sorted(cells.items()):
            random.Random(f"bbq/{name}/{cell}").shuffle(rows)
            seen: defaultdict[str, int] = defaultdict(int)
            ranked = []
            for row in rows:
                seen[row["question_index"]] += 1
                ranked.append((seen[row["question_index"]], row))
            ranked.sort(key=lambda pair: pair[0])
            yield from (row for _, row in ranked[: BBQ_PER_CELL_AND_HOUR * N_WINDOWS_EACH_SIDE])


def _bbq_answer(row: dict[str, Any], answer: str) -> Answer:
    category = BBQ_CATEGORIES[row["category"]]
    options = [row[f"ans{number}"] for number in range(3)]
    target = row["bias_target"]
    listed = "\n".join(f"({letter}) {option}" for letter, option in zip("abc", options, strict=True))
    return Answer(
        route="retrieval",
        item=f"{category}-{row['example_id']}",
        stratum=f"{category}/{row['question_polarity']}/{row['context_condition']}",
        model="unifiedqa-11b",
        request={},
        prompt=f"{row['question']}\n{listed}",
        text=row[answer],
        reference_answer=options[row["label"]],
        documents=(row["context"],),
        groups={
            "category": category,
            "polarity": row["question_polarity"],
            "condition": row["context_condition"],
            "target": row["answer_info"][f"ans{target}"][1],
        },
        tags={"stereotyped_answer": options[target]},
    )


def _deal(answers: Sequence[Answer], seed: str) -> list[list[Answer]]:
    """Deal the answers like cards, stratum after stratum, so that every hour gets the same mix and volume."""
    draw = random.Random(seed)
    strata: defaultdict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        strata[answer.stratum].append(answer)
    hours: list[list[Answer]] = [[] for _ in range(N_WINDOWS_EACH_SIDE)]
    number = 0
    for _, members in sorted(strata.items()):
        draw.shuffle(members)
        for answer in members:
            hours[number % N_WINDOWS_EACH_SIDE].append(answer)
            number += 1
    for hour in hours:
        draw.shuffle(hour)
    return hours


def _line(deployment: str, answer: Answer, at: datetime) -> str:
    # Not of the item alone: the publisher uses a few survey ids for several questions.
    request_id = hashlib.sha256(f"{deployment}/{answer.item}/{at}".encode()).hexdigest()[:12]
    user = _user(deployment, at)
    usage = {"prompt_tokens": None, "completion_tokens": answer.n_output_tokens}
    message = {"role": "assistant", "content": answer.text}
    record = {
        "id": f"req-{request_id}",
        "timestamp": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "deployment": deployment,
        "route": answer.route,
        "tenant": (None, "north", "south")[user % 3],
        "user": f"u-{user}",
        "language": "en",
        "conversation_id": None,
        "request": {
            "model": answer.model,
            "messages": [{"role": "user", "content": answer.prompt}],
            **answer.request,
        },
        "response": {
            "id": f"chatcmpl-{request_id}",
            "model": answer.model,
            "choices": [{"index": 0, "message": message, "finish_reason": None}],
            "usage": usage,
        },
        "error": None,
        "latency_ms": answer.latency_ms,
        "ttft_ms": None,
        "cost_usd": answer.cost_usd,
        "context": [{"id": f"doc-{answer.item}", "content": text} for text in answer.documents],
        "reference_answer": answer.reference_answer,
        "groups": answer.groups,
        "tags": {"item": answer.item, **answer.tags},
        "feedback": None,
    }
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"


def _user(deployment: str, at: datetime) -> int:
    """Invent a user from 1 to 300: log-uniform, so that few are heavy users and most are rare."""
    return int(300 ** random.Random(f"{deployment}/{at}").random())


def _read(path: Path) -> list[dict[str, Any]]:
    with _open(path) as lines:
        return [json.loads(line) for line in lines]


def _open(path: Path) -> Any:
    if not path.is_file():
        raise SourceUnavailableError(
            f"No file {path}; expected the public data sets named in llmmon/demo/logs/NOTICE.md. "
            "Pass their folder with --data."
        )
    return gzip.open(path, "rt", encoding="utf-8", newline="")


if __name__ == "__main__":
    main()
