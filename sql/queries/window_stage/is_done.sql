-- Whether a stage has finished a window, with no row come late since.
SELECT 1
  FROM llmmon.window_stage
 WHERE deployment = %(deployment)s
   AND window_start = %(start)s
   AND stage = %(stage)s
   AND state = 'done'
