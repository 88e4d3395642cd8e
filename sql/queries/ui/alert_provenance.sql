-- How the numbers of an alert were made: its metric first, then its detector.
SELECT p.kind, p.plugin, p.parameters, p.code_version, p.config_digest, p.model_revision, p.seed,
       encode(p.digest, 'hex') AS digest
  FROM llmmon.alert a
  JOIN llmmon.measurement m USING (measurement_id)
  JOIN llmmon.provenance p ON p.provenance_id IN (m.provenance_id, a.provenance_id)
 WHERE a.alert_id = %(alert_id)s
 ORDER BY p.provenance_id = m.provenance_id DESC;
