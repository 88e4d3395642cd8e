"""Where the pages appear in Airflow; plain data, because every Airflow process loads its plugins."""

from base64 import b64encode


def _icon(colour: str) -> str:
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="{colour}" stroke-width="2" '
        'stroke-linecap="round" stroke-linejoin="round"><path d="M3 13h4l3-8 4 14 3-6h4"/></svg>'
    )
    return "data:image/svg+xml;base64," + b64encode(drawing.encode()).decode()


URL_PREFIX = "/llmmon"

EXTERNAL_VIEWS = [
    {
        "name": "llmmon",
        "href": f"{URL_PREFIX}/",
        "destination": "nav",
        "url_route": "llmmon",
        "nav_top_level": True,
        "icon": _icon("#3f3f46"),
        "icon_dark_mode": _icon("#e4e4e7"),
    }
]

REACT_APPS = [
    {
        "name": "llmmon summary",
        "bundle_url": f"{URL_PREFIX}/static/widget.js",
        "destination": "dashboard",
        "url_route": "llmmon-summary",
    }
]
