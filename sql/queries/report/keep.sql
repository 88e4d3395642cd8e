-- Keeps the report of one window, in place of an earlier one.
INSERT INTO llmmon.report (deployment, window_start, window_end, renderer, summary, snapshot)
VALUES (%(deployment)s, %(start)s, %(end)s, %(renderer)s, %(summary)s::jsonb, %(snapshot)s)
ON CONFLICT (deployment, window_start, renderer) DO UPDATE
   SET window_end = EXCLUDED.window_end,
       summary = EXCLUDED.summary,
       snapshot = EXCLUDED.snapshot,
       rendered_at = clock_timestamp()
