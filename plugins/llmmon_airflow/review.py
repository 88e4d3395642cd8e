"""Ask people about items, as tasks of Airflow that wait for a person and take up no worker meanwhile.

A task names the item and links to its page: texts of requests never go to Airflow, whose database knows no keys.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from airflow.providers.standard.operators.hitl import HITLOperator

from llmmon_airflow.review_steps import keep_answer

NOT_LABELLED: Final = "not labelled"
OPTIONS: Final = ("yes", "no", "cannot tell", NOT_LABELLED)
WAIT: Final = timedelta(hours=20)
"""Shorter than the day between two runs: what nobody answered is asked again by the next."""


class AskReviewer(HITLOperator):
    """Ask about one item; an answer becomes a review, no answer within `WAIT` leaves the item open.

    Parameters
    ----------
    item : int
        Its number.
    """

    def __init__(self, *, item: int, **arguments: Any) -> None:
        super().__init__(options=list(OPTIONS), defaults=NOT_LABELLED, response_timeout=WAIT, **arguments)
        self.item = item

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Keep the answer as a review of whoever gave it."""
        answer = super().execute_complete(context, event)
        keep_answer(self.item, answer["chosen_options"][0], answer["responded_by_user"])
        return answer
