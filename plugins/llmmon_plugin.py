"""llmmon's registration with Airflow; every Airflow process loads it, so nothing heavy is imported here."""

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from llmmon_airflow.web.navigation import EXTERNAL_VIEWS, REACT_APPS, URL_PREFIX


class LlmmonPlugin(AirflowPlugin):
    """The pages of llmmon, under Airflow's login."""

    name = "llmmon"
    external_views = EXTERNAL_VIEWS
    react_apps = REACT_APPS

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:
        """The application; read by the API server only, which alone pays for its imports."""
        from llmmon_airflow.web.app import app

        return [{"name": "llmmon", "app": app, "url_prefix": URL_PREFIX}]
