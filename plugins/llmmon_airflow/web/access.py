"""Who may read and who may change; every route depends on one of these.

Airflow mounts a plug-in's application without any login of its own, so that a route without these is open to all.
Annotations are real objects here: FastAPI resolves them when a route is added.
"""

from typing import Annotated
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_view
from fastapi import Depends, HTTPException, Request

ALERT_DAG = "alert"
REVIEW_DAG = "review"

may_read = requires_access_view(AccessView.PLUGINS)


def may_change(user: GetUserDep) -> bool:
    """Return whether `user` may acknowledge and resolve alerts: those who may edit the DAG that raises them."""
    return _may_edit(user, ALERT_DAG)


def may_review(user: GetUserDep) -> bool:
    """Return whether `user` may judge responses: those who may edit the DAG that asks for it."""
    return _may_edit(user, REVIEW_DAG)


def _may_edit(user: BaseUser, dag_id: str) -> bool:
    # the access view ignores the method for the simple auth manager, so that a viewer would pass it with POST
    return get_auth_manager().is_authorized_dag(method="PUT", details=DagDetails(id=dag_id), user=user)


def changing_user(request: Request, user: GetUserDep, allowed: Annotated[bool, Depends(may_change)]) -> BaseUser:
    """Return the user of a write, or refuse it.

    Raises
    ------
    HTTPException
        403 when the page that sent the form is not ours, or the user may not change alerts.
    """
    _must_be_ours(request, "alert")
    if not allowed:
        raise HTTPException(403, f"You may read alerts but not change them: that takes edit rights on {ALERT_DAG!r}.")
    return user


def reviewing_user(request: Request, user: GetUserDep, allowed: Annotated[bool, Depends(may_review)]) -> BaseUser:
    """Return the user who judges a response, or refuse them.

    Raises
    ------
    HTTPException
        403 when the page that sent the form is not ours, or the user may not review.
    """
    _must_be_ours(request, "item")
    if not allowed:
        raise HTTPException(403, f"You may read items but not judge them: that takes edit rights on {REVIEW_DAG!r}.")
    return user


def _must_be_ours(request: Request, what: str) -> None:
    if not _is_same_origin(request):
        raise HTTPException(403, f"This form was sent from another site. Open the {what} in Airflow and try again.")


def _is_same_origin(request: Request) -> bool:
    # browsers send Sec-Fetch-Site on trustworthy addresses only; over plain HTTP inside a network Origin remains
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == request.headers.get("host")


ChangingUser = Annotated[BaseUser, Depends(changing_user)]
ReviewingUser = Annotated[BaseUser, Depends(reviewing_user)]
MayChange = Annotated[bool, Depends(may_change)]
MayReview = Annotated[bool, Depends(may_review)]
