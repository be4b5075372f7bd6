-- What people decide about faults. A fault without a row in triage is one that nobody has looked at.
CREATE TABLE triage (
  fault INTEGER PRIMARY KEY,
  reviewed_at REAL,
  owner_kind TEXT NOT NULL DEFAULT '',
  owner_id INTEGER,
  owner TEXT NOT NULL DEFAULT '',
  priority TEXT NOT NULL DEFAULT '',
  mute_until REAL,
  mute_events INTEGER,
  mute_users INTEGER,
  resolved_in TEXT NOT NULL DEFAULT '',
  resolved_next INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX triage_of_owner ON triage (owner);
CREATE INDEX triage_by_mute ON triage (mute_until);

CREATE TABLE comment (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  fault INTEGER NOT NULL,
  at REAL NOT NULL,
  author TEXT NOT NULL,
  author_id INTEGER,
  body TEXT NOT NULL
);
CREATE INDEX comment_of_fault ON comment (fault, id);

-- The last rule that fits a new fault says whose it is. project is empty for all.
CREATE TABLE owner_rule (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL,
  kind TEXT NOT NULL,
  pattern TEXT NOT NULL,
  owner_kind TEXT NOT NULL,
  owner_id INTEGER,
  owner TEXT NOT NULL
);

-- Events that fit are dropped before they are stored, and counted. project is empty for all.
CREATE TABLE inbound_filter (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL,
  kind TEXT NOT NULL,
  pattern TEXT NOT NULL,
  enabled INTEGER NOT NULL,
  dropped INTEGER NOT NULL DEFAULT 0,
  dropped_at REAL
);

-- owner_id is NULL for a view that all share
CREATE TABLE saved_view (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  line TEXT NOT NULL,
  sort TEXT NOT NULL,
  owner_id INTEGER,
  created_at REAL NOT NULL
);
