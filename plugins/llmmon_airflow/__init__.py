"""Everything of llmmon that knows Airflow: windows, task defaults, steps, connections, the DB manager and the pages."""
