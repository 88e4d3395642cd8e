"""What a replay backend is."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import ClassVar, Protocol

from llmmon.model import ReplayItem, Response
from llmmon.registry import Registry


class Backend(Protocol):
    """Runs a model over replay items."""

    plugin_name: ClassVar[str]

    @property
    def model_revision(self) -> str | None:
        """Pinned revision, or a digest of the weights; None where the endpoint does not say."""
        ...

    def generate(self, items: Sequence[ReplayItem]) -> Generator[Response, None, None]:
        """Yield exactly one response per item, in any order; closing the generator stops the work.

        An item that failed yields a response with a reason; an error is raised only when no item can be run at all.

        Raises
        ------
        ModelNotFoundError, BackendUnavailableError
        """
        ...


backends: Registry[Backend] = Registry("backends")
