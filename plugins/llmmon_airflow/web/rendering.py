"""Templates, links and the headers that every page carries."""

from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from llmmon_airflow.web import formatting
from llmmon_airflow.web.overview import STATES

FOLDER = Path(__file__).parent

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-src 'self'; frame-ancestors 'self'; base-uri 'none'"
)
REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; connect-src 'none'; form-action 'none'; frame-ancestors 'self'; "
    "base-uri 'none'"
)
GATE_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; base-uri 'none'"

_templates = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=select_autoescape(default=True, default_for_string=True),
    undefined=StrictUndefined,
    finalize=formatting.visible,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= formatting.FILTERS
_templates.globals |= {"interval": formatting.interval, "window": formatting.window, "STATES": STATES}


def link(request: Request, *parts: str | int, **query: str | int | None) -> str:
    """Return the path of a page, each part escaped, so that any name can stand in it."""
    path = "/".join(quote(str(part), safe="") for part in parts)
    given = {name: value for name, value in query.items() if value is not None}
    return f"{request.scope.get('root_path', '')}/{path}" + (f"?{urlencode(given)}" if given else "")


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Render one page."""

    def to(*parts: str | int, **query: str | int | None) -> str:
        return link(request, *parts, **query)

    text = _templates.get_template(template).render(to=to, **values)
    return HTMLResponse(text, status_code=status)


def with_headers(response: Any) -> Any:
    """Add the headers that keep a page from being framed, sniffed or scripted by others."""
    headers = {
        "Content-Security-Policy": PAGE_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",  # no-referrer would turn the Origin of our own forms into "null"
        "Cache-Control": "no-store",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    for name, value in headers.items():
        response.headers.setdefault(name, value)
    return response
