"""The pages that read."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse

from llmmon.model import Window
from llmmon.store.database import fetch
from llmmon.store.held_batch import batch_of
from llmmon_airflow.settings import database
from llmmon_airflow.web.access import MayChange, MayReview
from llmmon_airflow.web.alerts import alert_list, alert_page
from llmmon_airflow.web.coverage import coverage_page
from llmmon_airflow.web.deployment import deployment_page
from llmmon_airflow.web.overview import N_WINDOWS, glances, summary
from llmmon_airflow.web.reading import reading
from llmmon_airflow.web.rendering import GATE_POLICY, REPORT_POLICY, page
from llmmon_airflow.web.review import review_list, review_page
from llmmon_airflow.web.sources import held_sources, source_accounts

AUDIT_PAGE = 100
LARGEST_ID = 2**63 - 1

Id = Annotated[int, Query(ge=1, le=LARGEST_ID)]
Name = Annotated[str, Query(max_length=500, pattern=r"^[^\x00]*$")]
State = Literal["open", "acknowledged", "resolved"]

pages = APIRouter()


@pages.get("/")
def show_deployments(request: Request) -> HTMLResponse:
    """Show every deployment at a glance."""
    return page(
        request, "deployments.html", tab="deployments", glances=glances(), n_windows=N_WINDOWS, held=held_sources()
    )


@pages.get("/summary")
def show_summary() -> JSONResponse:
    """Return each deployment's state and open alerts, for the card on Airflow's home page."""
    return JSONResponse(summary())


@pages.get("/deployments/{name:path}")
def show_deployment(
    request: Request,
    name: str,
    monitor: Name | None = None,
    segment: Name | None = None,
    look: Name | None = None,
    at: Name | None = None,
) -> HTMLResponse:
    """Show one deployment, its streams filtered by `monitor` and `segment`, the stream `look` at `at` drawn large."""
    chosen = (look, at) if look and at else None
    found = deployment_page(_text(name), monitor=monitor, segment=segment, look=chosen)
    if found is None:
        raise HTTPException(404, f"No deployment is called {name!r}, neither in llmmon.toml nor in the store.")
    return page(request, "deployment.html", tab="deployments", page=found, monitor=monitor, segment=segment)


@pages.get("/alerts")
def show_alerts(
    request: Request, state: State | None = None, deployment: Name | None = None, before: Id | None = None
) -> HTMLResponse:
    """List alerts, newest first."""
    found = alert_list(state=state, deployment=deployment, before=before)
    return page(request, "alerts.html", tab="alerts", page=found, state=state, deployment=deployment)


@pages.get("/alerts/{alert_id}")
def show_alert(request: Request, alert_id: int, may_change: MayChange) -> HTMLResponse:
    """Show one alert and what it rests on."""
    found = alert_page(alert_id) if 0 < alert_id <= LARGEST_ID else None
    if found is None:
        raise HTTPException(404, f"There is no alert {alert_id}.")
    return page(request, "alert.html", tab="alerts", page=found, may_change=may_change)


@pages.get("/review")
def show_review(request: Request, deployment: Name | None = None, before: Id | None = None) -> HTMLResponse:
    """List the responses that wait for a person's judgement, and how many labels each rate has."""
    found = review_list(deployment, before)
    return page(request, "review.html", tab="review", page=found, deployment=deployment)


@pages.get("/review/{item}")
def show_item(request: Request, item: int, may_review: MayReview) -> HTMLResponse:
    """Show one response with its request, and ask what it is."""
    if not 0 < item <= LARGEST_ID:
        raise HTTPException(404, f"There is no item {item}.")
    return page(request, "review_item.html", tab="review", page=review_page(item), may_review=may_review)


@pages.get("/coverage")
def show_coverage(request: Request, deployment: Name | None = None, before: datetime | None = None) -> HTMLResponse:
    """Show the closed account of each window and stage."""
    if before is not None and before.tzinfo is None:
        before = before.replace(tzinfo=UTC)
    found = coverage_page(deployment, before)
    if found is None:
        raise HTTPException(404, f"No deployment is called {deployment!r}.")
    return page(request, "coverage.html", tab="coverage", page=found)


@pages.get("/sources")
def show_sources(request: Request) -> HTMLResponse:
    """Show how far each source is read, what waits, and the account of each day."""
    return page(request, "sources.html", tab="sources", sources=source_accounts())


@pages.get("/batches/{batch_id}/gate")
def show_gate(batch_id: int) -> HTMLResponse:
    """Return what the gate of a batch found, as Great Expectations renders it; the page may load and run nothing."""
    from llmmon.pipeline.gate_page import gate_page

    if not 0 < batch_id <= LARGEST_ID:
        raise HTTPException(404, f"There is no batch {batch_id}.")
    with reading() as connection:
        found = batch_of(connection, batch_id)
    return HTMLResponse(gate_page(found), headers={"Content-Security-Policy": GATE_POLICY})


@pages.get("/audit")
def show_audit(request: Request, before: Id | None = None, event: Name | None = None) -> HTMLResponse:
    """Show the audit trail, newest first."""
    with reading() as connection:
        rows = fetch(connection, "ui/audit", {"before": before, "event": event, "n_rows": AUDIT_PAGE + 1})
        heads = fetch(connection, "ui/ledger")
    older = rows[AUDIT_PAGE - 1].event_id if len(rows) > AUDIT_PAGE else None
    shown = {"rows": rows[:AUDIT_PAGE], "older": older, "event": event, "before": before}
    return page(request, "audit.html", tab="audit", heads=heads, **shown)


@pages.get("/reports/{deployment:path}/{window}/document")
def show_report_document(deployment: str, window: str) -> HTMLResponse:
    """Return the Evidently report itself, which may run its own scripts and reach nothing else."""
    from llmmon.pipeline.render_report import report_html

    found = _report(deployment, window)
    html = report_html(database(), deployment, Window(start=found.window_start, end=found.window_end))
    headers = {"Content-Security-Policy": REPORT_POLICY, "Cache-Control": "private, max-age=300"}
    return HTMLResponse(html, headers=headers)


@pages.get("/reports/{deployment:path}/{window}")
def show_report(request: Request, deployment: str, window: str) -> HTMLResponse:
    """Frame the Evidently report of one window."""
    found = _report(deployment, window)
    return page(request, "report.html", tab="deployments", deployment=deployment, report=found)


def _report(deployment: str, window: str) -> object:
    try:
        start = Window.parse(window, hours=1).start
    except (ValueError, OverflowError):
        raise HTTPException(404, "A report is found by its window's start, as in 2023-06-27T05:00:00.") from None
    with reading() as connection:
        rows = fetch(connection, "ui/report", {"deployment": _text(deployment), "window_start": start})
    if not rows:
        raise HTTPException(404, f"There is no report of {deployment!r} for the window that starts at {window}.")
    return rows[0]


def _text(value: str) -> str:
    if "\0" in value:  # Postgres has no text that holds it
        raise HTTPException(404, "There is no such name.")
    return value
