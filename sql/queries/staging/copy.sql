-- Takes the identities of the readable rows of one batch, each request id once.
COPY llmmon_staging (request_id, occurred_at) FROM STDIN
