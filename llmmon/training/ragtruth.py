"""RAGTruth's question-answering part as examples to learn from and to measure on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmmon.model import Document
from llmmon.pipeline.labels import json_lines

FOLDER = "halluc_ragtruth_qa"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One labelled answer.

    Parameters
    ----------
    source : str
        Its question and passages; all answers to one are in the same split.
    writer : str
        The model that wrote it; nothing is trained on it.
    spans : sequence of pair of int
        ``[start, end)`` of what people marked as unsupported; empty when the answer is supported.
    """

    source: str
    writer: str
    split: str
    question: str
    documents: tuple[Document, ...]
    text: str
    spans: Sequence[tuple[int, int]]

    @property
    def is_unsupported(self) -> bool:
        """Whether anything is marked."""
        return bool(self.spans)


def answers(data: Path) -> list[Answer]:
    """Return the answers below `data`, in the order of the file.

    Parameters
    ----------
    data : Path
        Holds ``halluc_ragtruth_qa/sources.jsonl.gz`` and ``responses.jsonl.gz``.

    Raises
    ------
    SourceUnavailableError
        When a file cannot be read or a row lacks a field; names the line.
    """
    folder = data / FOLDER if (data / FOLDER).is_dir() else data
    sources = dict(
        json_lines(
            folder / "sources.jsonl.gz",
            lambda row, _: (row["source_id"], row["source_info"]),
            expected="source_id and source_info",
        )
    )

    def parse(row: Any, _: int) -> Answer:
        about = sources[row["source_id"]]
        return Answer(
            source=row["source_id"],
            writer=row["model"],
            split=row["split"],
            question=about["question"],
            documents=passages(about["passages"]),
            text=row["response"],
            spans=tuple((label["start"], label["end"]) for label in row["labels"]),
        )

    return list(
        json_lines(folder / "responses.jsonl.gz", parse, expected="source_id, model, split, response and labels")
    )


def passages(text: str) -> tuple[Document, ...]:
    r"""Return the passages that RAGTruth joins to one text.

    Examples
    --------
    >>> [document.content for document in passages("passage 1:One.\n\npassage 2:Two.\n\n")]
    ['One.', 'Two.']
    """
    parts = re.split(r"(?:^|\n\n)passage \d+:", text.strip())
    return tuple(Document(content=part.strip()) for part in parts if part.strip())
