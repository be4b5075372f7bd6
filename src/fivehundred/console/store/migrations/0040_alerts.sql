-- Who is told what. A secret of a channel (password, signing key, address with a token) is sealed, never in clear.
CREATE TABLE channel (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  settings TEXT NOT NULL,
  sealed TEXT NOT NULL,
  hourly_max INTEGER NOT NULL,
  created_at REAL NOT NULL,
  deleted_at REAL
);

CREATE TABLE alert_rule (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  channel INTEGER NOT NULL,
  kinds TEXT NOT NULL,
  narrow TEXT NOT NULL,
  threshold INTEGER NOT NULL,
  within_s REAL NOT NULL,
  again_s REAL NOT NULL,
  enabled INTEGER NOT NULL,
  created_at REAL NOT NULL,
  deleted_at REAL
);

-- The outbox: one row a message. A row is written with what it tells of, in one transaction, and sent later.
CREATE TABLE alert (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  channel INTEGER NOT NULL,
  rule INTEGER NOT NULL,
  kind TEXT NOT NULL,
  project TEXT NOT NULL,
  subject TEXT NOT NULL,
  body TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  due_at REAL NOT NULL,
  created_at REAL NOT NULL,
  sent_at REAL,
  error TEXT NOT NULL,
  folded INTEGER NOT NULL
);
CREATE INDEX alert_by_due ON alert (state, due_at);
CREATE INDEX alert_of_channel ON alert (channel, created_at);
CREATE INDEX alert_by_time ON alert (created_at);

-- When a rule last told of a subject: "fault:12", "incident:3"; what keeps it from telling again too soon, or ever.
CREATE TABLE alert_told (
  rule INTEGER NOT NULL,
  subject TEXT NOT NULL,
  told_at REAL NOT NULL,
  PRIMARY KEY (rule, subject)
);

-- Events of a fault by the minute, kept as long as a rule may look back; only while some rule counts.
CREATE TABLE alert_minute (
  fault INTEGER NOT NULL,
  minute INTEGER NOT NULL,
  events INTEGER NOT NULL,
  PRIMARY KEY (fault, minute)
);
CREATE INDEX alert_minute_by_time ON alert_minute (minute);
