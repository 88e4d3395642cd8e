-- Marks a window that was judged before its probes were answered as to be judged and measured again: if it is a reference
-- window, its summary is then made anew and what was measured against the old one is measured again.
UPDATE llmmon.window_stage
   SET state = 'dirty',
       reason = 'probes came late'
 WHERE deployment = %(deployment)s
   AND window_start = %(window_start)s
   AND stage IN ('score', 'measure')
   AND state = 'done'
