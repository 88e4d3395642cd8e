-- Marks the windows that were measured against a reference window before that one was last judged, to be measured again.
UPDATE llmmon.window_stage AS dependent
   SET state = 'dirty',
       reason = 'reference window ' || to_char(judged.window_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
                || ' was judged again'
  FROM llmmon.window_stage AS judged
 WHERE judged.deployment = %(deployment)s
   AND judged.window_start = %(start)s
   AND judged.stage = 'score'
   AND dependent.deployment = judged.deployment
   AND dependent.stage = 'measure'
   AND dependent.state = 'done'
   AND dependent.window_start <> judged.window_start
   AND dependent.finished_at < judged.finished_at
