-- Removes the account of one stage of one window, to write it anew.
DELETE FROM llmmon.coverage
 WHERE deployment = %(deployment)s
   AND window_start = %(start)s
   AND stage = %(stage)s
