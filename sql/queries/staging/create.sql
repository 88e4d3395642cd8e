-- A session's private table for the identities in one batch; a commit or rollback empties it.
CREATE TEMPORARY TABLE IF NOT EXISTS llmmon_staging (
  request_id  text        NOT NULL,
  occurred_at timestamptz NOT NULL
) ON COMMIT DELETE ROWS
