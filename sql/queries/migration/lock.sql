-- Lets one migration run at a time; the lock goes with the transaction that holds it.
SELECT pg_advisory_xact_lock(hashtext('llmmon.migrate'))
