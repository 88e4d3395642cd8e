"""What people do to an alert or say of an item; each change has its audit entry in the same transaction."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from llmmon.pipeline.change_alert import change_alert
from llmmon.pipeline.keep_reviews import CANNOT_TELL, LONGEST_NOTE, keep_reviews
from llmmon.store.review import Review
from llmmon_airflow.settings import configuration, database
from llmmon_airflow.web.access import ChangingUser, ReviewingUser
from llmmon_airflow.web.rendering import link
from llmmon_airflow.web.review import next_open

Event = Literal["acknowledged", "resolved", "reopened", "noted"]
Answer = Literal["yes", "no", "cannot_tell"]

actions = APIRouter()


@actions.post("/alerts/{alert_id}/events")
def change(
    request: Request,
    alert_id: int,
    user: ChangingUser,
    event: Annotated[Event, Form()],
    note: Annotated[str, Form(max_length=LONGEST_NOTE)] = "",
) -> Response:
    """Acknowledge, resolve, reopen or note an alert, then show it again."""
    text = note.replace("\0", "").strip()
    if event == "noted" and not text:
        raise HTTPException(422, "A note needs some text.")
    change_alert(
        database(),
        alert_id,
        event,
        actor=user.get_name(),
        note=text or None,
        config_digest=configuration().digest,
    )
    return RedirectResponse(link(request, "alerts", alert_id), status_code=303)


@actions.post("/review/{item}")
def say(
    request: Request,
    item: int,
    user: ReviewingUser,
    answer: Annotated[Answer, Form()],
    note: Annotated[str, Form(max_length=LONGEST_NOTE)] = "",
) -> Response:
    """Keep what somebody says of an item, then show the next one that waits."""
    label = {"yes": 1, "no": 0}.get(answer)
    text = note.replace("\0", "").strip()
    said = Review(
        review_item_id=item,
        reviewer=user.get_name(),
        label=label,
        reason=CANNOT_TELL if label is None else None,
        note=text or None,
    )
    keep_reviews(database(), [said], config_digest=configuration().digest, by=user.get_name())
    following = next_open(item)
    return RedirectResponse(link(request, "review", *([] if following is None else [following])), status_code=303)
