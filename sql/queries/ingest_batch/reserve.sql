-- Takes the number of the next batch, which its rows carry before its own row can be complete.
SELECT nextval(pg_get_serial_sequence('llmmon.ingest_batch', 'batch_id')) AS batch_id
