-- Removes the sketches of one window, to be written anew: a segment may have vanished.
DELETE FROM llmmon.latency_sketch
 WHERE deployment = %(deployment)s
   AND window_start = %(start)s
