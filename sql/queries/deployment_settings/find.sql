-- What a configuration said of a deployment; no row where that was not written down.
SELECT settings
  FROM llmmon.deployment_settings
 WHERE config_digest = %(config_digest)s AND deployment = %(deployment)s
