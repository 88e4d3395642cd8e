"""The Data Docs of a batch: what its gate found, as one HTML page by Great Expectations' own renderer.

Great Expectations' page loads scripts, styles and a picture from a dozen hosts. Here its sections stand in a page that
loads nothing, and every text in them is escaped before it is rendered, because not all of its templates do so.
"""

from __future__ import annotations

import html
from typing import Any, Final

import jinja2
from markupsafe import Markup
from sqlalchemy import Row

from llmmon.pipeline.gate import failures_of, great_expectations

_PARTS: Final = {
    "lines": "Rows",
    "requests": "Requests",
    "volume": "Volume by hour",
    "fields": "Fields",
    "names": "Field names in the log",
}
_FACTS: Final = {
    "state": "State",
    "loaded_at": "Read at",
    "n_in": "Rows in",
    "n_new": "New",
    "n_dup": "Duplicate",
    "n_bad": "Unreadable",
    "n_held": "Held back",
    "first_occurred_at": "First request of",
    "last_occurred_at": "Last request of",
    "raw_sha256": "SHA-256 of the rows",
    "code_version": "llmmon",
    "config_digest": "Configuration",
    "decided_at": "Decided at",
    "decided_by": "Decided by",
    "decided_because": "Because",
}
_templates: Final = jinja2.Environment(
    loader=jinja2.PackageLoader("llmmon", "pipeline"), autoescape=True, undefined=jinja2.StrictUndefined
)


def gate_page(batch: Row[Any]) -> str:
    """Return the page of a batch, from `llmmon.store.held_batch.batch_of`; it loads nothing and runs no script."""
    gate = batch.gate or {}
    silent = [
        f"{title}: {gate[name]['not_judged']}" for name, title in _PARTS.items() if "not_judged" in gate.get(name, ())
    ]
    return _templates.get_template("gate_page.html").render(
        batch=batch,
        facts=[(title, getattr(batch, name)) for name, title in _FACTS.items() if getattr(batch, name) is not None],
        findings=[
            ("Not fulfilled", failures_of(gate)),
            ("Warnings", failures_of(gate, severity="warning")),
            ("Not judged", silent),
        ],
        parts=[(title, _sections(gate[name])) for name, title in _PARTS.items() if gate.get(name, {}).get("results")],
    )


def _sections(part: dict[str, Any]) -> Markup:
    """Return what Great Expectations writes of one validation, without its overview of links and markers."""
    great_expectations()
    from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResultSchema
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaSectionView

    known = {
        **part,
        "results": [{key: value for key, value in item.items() if key != "says"} for item in part["results"]],
    }
    known.pop("not_judged", None)
    result = ExpectationSuiteValidationResultSchema().load(_escaped(known))
    sections = ValidationResultsPageRenderer().render(result).sections[1:]
    view = DefaultJinjaSectionView()
    return Markup("").join(
        # escaped above
        Markup(view.render({"section": section.to_json_dict(), "section_loop": {"index": place}}))  # noqa: S704
        for place, section in enumerate(sections, start=1)
    )


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return html.escape(value)
    if isinstance(value, dict):
        return {_escaped(key): _escaped(item) for key, item in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list) else value
