-- Writes where a stream stands.
INSERT INTO llmmon.stream_state (deployment, monitor, segment, state, window_start, e_value, reason)
VALUES (%(deployment)s, %(monitor)s, %(segment)s, %(state)s, %(start)s, %(e_value)s, %(reason)s)
ON CONFLICT (deployment, monitor, segment) DO UPDATE
   SET state = excluded.state, window_start = excluded.window_start, e_value = excluded.e_value,
       reason = excluded.reason, updated_at = clock_timestamp()
 WHERE (stream_state.state, stream_state.window_start, stream_state.e_value, stream_state.reason)
       IS DISTINCT FROM (excluded.state, excluded.window_start, excluded.e_value, excluded.reason)
