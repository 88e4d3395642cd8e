-- Writes where streams stand and what they remember.
INSERT INTO llmmon.stream_state (deployment, monitor, segment, state, window_start, e_value, reason, first_window_start,
                                 restarts, memory)
SELECT %(deployment)s, monitor, segment, state, window_start, e_value, reason, first_window_start, restarts, memory
  FROM json_to_recordset(%(rows)s) AS new (
         monitor text, segment text, state text, window_start timestamptz, e_value double precision, reason text,
         first_window_start timestamptz, restarts timestamptz[], memory json)
ON CONFLICT (deployment, monitor, segment) DO UPDATE
   SET state = excluded.state, window_start = excluded.window_start, e_value = excluded.e_value,
       reason = excluded.reason, first_window_start = excluded.first_window_start, restarts = excluded.restarts,
       memory = excluded.memory, updated_at = clock_timestamp()
 WHERE (stream_state.state, stream_state.window_start, stream_state.e_value, stream_state.reason,
        stream_state.first_window_start, stream_state.restarts, stream_state.memory::text)
       IS DISTINCT FROM (excluded.state, excluded.window_start, excluded.e_value, excluded.reason,
                         excluded.first_window_start, excluded.restarts, excluded.memory::text)
