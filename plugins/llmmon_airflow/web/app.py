"""The application that Airflow's API server mounts at ``/llmmon``.

Annotations are real objects here: FastAPI resolves them when a route is added.
"""

import logging
from collections.abc import Awaitable, Callable

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException

from llmmon.errors import (
    AlertStateError,
    LlmmonError,
    StoreUnavailableError,
    UnknownAlertError,
    UnknownBatchError,
    UnknownItemError,
)
from llmmon_airflow.web.access import may_read
from llmmon_airflow.web.actions import actions
from llmmon_airflow.web.pages import pages
from llmmon_airflow.web.rendering import FOLDER, page, with_headers

log = logging.getLogger(__name__)

STATIC = {
    "llmmon.css": "text/css",
    "theme.js": "text/javascript",
    "llmmon.js": "text/javascript",
    "widget.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
STATUSES = {
    StoreUnavailableError: 503,
    UnknownAlertError: 404,
    UnknownBatchError: 404,
    UnknownItemError: 404,
    AlertStateError: 409,
}
TITLES = {401: "Please sign in", 403: "Not allowed", 404: "Not found", 405: "Not allowed", 503: "No database"}

app = FastAPI(title="llmmon", openapi_url=None, dependencies=[Depends(may_read)])


@app.middleware("http")
async def add_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Give every answer its security headers."""
    return with_headers(await call_next(request))


@app.get("/static/{name}")
def static_file(name: str) -> Response:
    """Serve the style sheet and the scripts, and no other file."""
    if name not in STATIC:
        raise HTTPException(404, "There is no such file.")
    return FileResponse(
        FOLDER / "static" / name, media_type=STATIC[name], headers={"Cache-Control": "private, max-age=300"}
    )


app.include_router(pages)
app.include_router(actions)


@app.exception_handler(HTTPException)
async def say_refused(request: Request, error: HTTPException) -> Response:
    """Say in a page what could not be done."""
    detail = str(error.detail)
    if error.status_code == 401:
        detail = "These pages need an Airflow login. Sign in to Airflow and open them again."
    title = TITLES.get(error.status_code, "This did not work")
    return page(request, "message.html", status=error.status_code, title=title, detail=detail, tab=None)


@app.exception_handler(RequestValidationError)
async def say_invalid(request: Request, error: RequestValidationError) -> Response:
    """Name the part of the address or form that cannot be read."""
    parts = ", ".join(str(problem["loc"][-1]) for problem in error.errors())
    detail = f"This part of the address or form cannot be read: {parts}."
    return page(request, "message.html", status=422, title="This did not work", detail=detail, tab=None)


@app.exception_handler(LlmmonError)
async def say_failed(request: Request, error: LlmmonError) -> Response:
    """Show one of llmmon's own errors, which say what to do next."""
    log.warning("%s: %s", request.url.path, error)
    status = next((code for kind, code in STATUSES.items() if isinstance(error, kind)), 500)
    return page(
        request,
        "message.html",
        status=status,
        title=TITLES.get(status, "This did not work"),
        detail=str(error),
        tab=None,
    )
