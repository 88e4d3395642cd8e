"""The laptop stack: one Postgres, one Airflow, one inbox, started and stopped by ``llmmon up`` and ``llmmon down``."""
