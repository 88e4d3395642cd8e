-- Marks what finished a window as to be done again.
UPDATE llmmon.window_stage
   SET state = 'dirty',
       reason = 'requests came late'
 WHERE deployment = %(deployment)s
   AND window_start = %(window_start)s
   AND state IN ('done', 'expired')
