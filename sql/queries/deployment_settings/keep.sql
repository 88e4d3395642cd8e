-- Writes down what the configuration says of a deployment, once per configuration.
INSERT INTO llmmon.deployment_settings (config_digest, deployment, settings)
VALUES (%(config_digest)s, %(deployment)s, %(settings)s)
ON CONFLICT (config_digest, deployment) DO NOTHING
