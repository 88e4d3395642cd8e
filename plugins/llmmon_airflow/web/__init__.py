"""The pages of llmmon inside Airflow: read from Postgres, rendered on the server, guarded by Airflow's login."""
