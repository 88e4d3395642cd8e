"""The mix of traffic changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmmon.faults.base import Shadow, ShareFault, faults
from llmmon.faults.planting import count_of, hit, with_copies, without
from llmmon.metrics.columns import CATEGORIES, require
from llmmon.store.frames import Frames


@faults.register("category_shift")
@dataclass(frozen=True, kw_only=True, slots=True)
class CategoryShift(ShareFault):
    """A share of the requests is replaced by copies of requests from the busiest category; the number stays.

    Parameters
    ----------
    size : float
        Share of all requests; 0 changes nothing. At most all requests of the other categories are replaced.
    field : str
        What the category is: ``route``, ``tenant``, ``language``, ``model``, ``model_version``, ``status`` or
        ``error_type``. A window with one category is left as it is.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "share of requests"
    sizes: ClassVar[tuple[float, ...]] = (0.05, 0.1, 0.2, 0.5)

    field: str = "route"

    def __post_init__(self) -> None:
        ShareFault.__post_init__(self)
        require("field", self.field, CATEGORIES)

    def plant(self, shadow: Shadow) -> Frames:
        """Return the window with another mix."""
        rows = shadow.frames.requests
        counts = rows[self.field].value_counts().sort_index()
        if len(counts) < 2:
            return shadow.frames
        busiest = rows[self.field] == counts.idxmax()
        gone = hit(shadow, rows.loc[~busiest, "request_key"].tolist(), count_of(self.size, len(rows)))
        copied = shadow.rng.choice(sorted(rows.loc[busiest, "request_key"]), size=len(rows)).tolist()[: len(gone)]
        return without(with_copies(shadow.frames, copied), gone)
