"""The pages as Airflow's API server mounts them, with its own auth manager and signed tokens."""

from __future__ import annotations

import os
import tempfile
from typing import Any

# Airflow reads these when it is first imported, and would otherwise write into the home folder
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="llmmon-airflow-"))
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
os.environ.setdefault("AIRFLOW__API_AUTH__JWT_SECRET", "only-for-these-tests-" * 4)


def sign_tokens() -> dict[str, str]:
    """Return a signed Airflow token for a person of each role."""
    from airflow import settings
    from airflow.api_fastapi.app import create_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.models.revoked_token import RevokedToken

    settings.configure_orm()
    RevokedToken.__table__.create(settings.engine, checkfirst=True)  # each request asks whether its token was revoked
    manager = create_auth_manager()
    return {
        role: manager.generate_jwt(SimpleAuthManagerUser(username=f"{role}-person", role=role))
        for role in ("viewer", "user")
    }


def mount() -> Any:
    """Return an application that holds the pages where Airflow holds them."""
    from fastapi import FastAPI

    from llmmon_airflow.web.app import app

    host = FastAPI(openapi_url=None)
    host.mount("/llmmon", app)
    return host
