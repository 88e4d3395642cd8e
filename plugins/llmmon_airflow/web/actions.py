"""What people do to an alert; each is a change of state, its event and its audit entry in one transaction."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from llmmon.pipeline.change_alert import change_alert
from llmmon_airflow.settings import configuration, database
from llmmon_airflow.web.access import ChangingUser
from llmmon_airflow.web.rendering import link

Event = Literal["acknowledged", "resolved", "reopened", "noted"]
LONGEST_NOTE = 4000

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
