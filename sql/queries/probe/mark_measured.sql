-- Marks a window that was measured before its probes were answered as to be measured again.
UPDATE llmmon.window_stage
   SET state = 'dirty',
       reason = 'probes came late'
 WHERE deployment = %(deployment)s
   AND window_start = %(window_start)s
   AND stage = 'measure'
   AND state = 'done'
