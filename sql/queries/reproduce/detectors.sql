-- How the evidence of every stream of a deployment at one window was made.
SELECT evidence.monitor, evidence.segment, how.plugin, how.parameters
  FROM llmmon.evidence
  JOIN llmmon.provenance AS how USING (provenance_id)
 WHERE evidence.deployment = %(deployment)s
   AND evidence.window_start = %(start)s
