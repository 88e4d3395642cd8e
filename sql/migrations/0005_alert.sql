-- Whom we told, of what, and what they said.
CREATE TABLE llmmon.alert (
  alert_id        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  dedupe_key      text        NOT NULL CONSTRAINT an_episode_alerts_once UNIQUE,
  deployment      text        NOT NULL,
  monitor         text        NOT NULL,
  segment         text        NOT NULL,
  detector        text        NOT NULL,
  window_start    timestamptz NOT NULL,
  window_end      timestamptz NOT NULL,
  severity        text        NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
  state           text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'acknowledged', 'resolved')),
  title           text        NOT NULL,
  sentence        text        NOT NULL,
  value           double precision NOT NULL,
  reference_value double precision,
  e_value         double precision NOT NULL,
  request_keys    bigint[]    NOT NULL DEFAULT '{}',
  detail          jsonb       NOT NULL DEFAULT '{}',
  measurement_id  bigint      NOT NULL REFERENCES llmmon.measurement,
  provenance_id   bigint      NOT NULL REFERENCES llmmon.provenance,
  opened_at       timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN llmmon.alert.request_keys IS 'Requests that show the change best.';

CREATE TABLE llmmon.alert_event (
  alert_event_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  alert_id       bigint      NOT NULL REFERENCES llmmon.alert,
  event          text        NOT NULL CHECK (event IN ('opened', 'acknowledged', 'resolved', 'reopened', 'noted')),
  actor          text        NOT NULL,
  note           text,
  happened_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The outbox: written in the transaction that opens the alert, drained by the deliver stage.
CREATE TABLE llmmon.delivery (
  delivery_id     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  alert_id        bigint      NOT NULL REFERENCES llmmon.alert,
  channel         text        NOT NULL,
  dedupe_key      text        NOT NULL CONSTRAINT an_alert_goes_to_a_channel_once UNIQUE,
  state           text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'dead')),
  n_attempts      integer     NOT NULL DEFAULT 0,
  next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  sent_at         timestamptz
);
-- Serves queries/delivery/claim.sql.
CREATE INDEX delivery_due ON llmmon.delivery (next_attempt_at) WHERE state = 'pending';

CREATE TABLE llmmon.delivery_attempt (
  delivery_attempt_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  delivery_id         bigint      NOT NULL REFERENCES llmmon.delivery,
  succeeded           boolean     NOT NULL,
  answer              text        NOT NULL,
  attempted_at        timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE llmmon.review (
  review_id   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  subject     text        NOT NULL CHECK (subject IN ('alert', 'score')),
  subject_id  bigint      NOT NULL,
  label       text        NOT NULL,
  reviewer    text        NOT NULL,
  note        text,
  reviewed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
