-- Removes probes of windows before a moment.
DELETE FROM llmmon.probe
 WHERE window_start < %(before)s
