-- Records that a stage has finished, failed or given up a window.
INSERT INTO llmmon.window_stage (deployment, window_start, window_end, stage, state, reason, n_requests)
VALUES (%(deployment)s, %(start)s, %(end)s, %(stage)s, %(state)s, %(reason)s, %(n_requests)s)
ON CONFLICT (deployment, window_start, stage) DO UPDATE
   SET window_end = excluded.window_end,
       state = excluded.state,
       reason = excluded.reason,
       n_requests = excluded.n_requests,
       finished_at = clock_timestamp(),
       change_id = DEFAULT
