-- Removes sketches of windows before a moment, once their day is rolled up.
DELETE FROM llmmon.latency_sketch AS s
 USING llmmon.latency_day AS d
 WHERE s.window_start < %(before)s
   AND d.deployment = s.deployment
   AND d.field = s.field
   AND d.segment = s.segment
   AND d.day = (s.window_start AT TIME ZONE 'UTC')::date
   AND d.rolled_up_at >= s.sketched_at
