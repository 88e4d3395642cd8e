"""Watch large language models in production from Airflow and Postgres."""

from __future__ import annotations

from importlib.metadata import version

__version__ = version("llmmon")

__all__ = ["__version__"]
