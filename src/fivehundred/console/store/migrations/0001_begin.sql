-- Projects, faults, events. Times are seconds since 1970; hours are hours since 1970; event ids are 16 bytes.

CREATE TABLE project (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  key TEXT NOT NULL UNIQUE,
  created_at REAL NOT NULL
) WITHOUT ROWID;

-- one row a name: "offset" of the spool, "version" that grows with every visible change
CREATE TABLE mark (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO mark VALUES ('offset', ''), ('version', 0);

CREATE TABLE memory (project TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE fault (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL,
  title TEXT NOT NULL,
  message TEXT NOT NULL,
  culprit TEXT NOT NULL,
  method TEXT NOT NULL,
  route TEXT NOT NULL,
  status INTEGER,
  platform TEXT NOT NULL,
  level TEXT NOT NULL,
  state TEXT NOT NULL,
  cause TEXT NOT NULL,
  confidence TEXT NOT NULL,
  transient TEXT NOT NULL,
  sentence TEXT NOT NULL,
  events INTEGER NOT NULL,
  users INTEGER NOT NULL,
  first_seen REAL NOT NULL,
  last_seen REAL NOT NULL,
  first_release TEXT NOT NULL,
  last_release TEXT NOT NULL,
  environment TEXT NOT NULL,
  resolved_at REAL,
  regressed_at REAL,
  changed_at REAL NOT NULL,
  impact REAL NOT NULL,
  last_event_id BLOB NOT NULL,
  search TEXT NOT NULL,
  diagnosis TEXT NOT NULL,
  fingerprint TEXT NOT NULL
);
CREATE INDEX fault_by_impact ON fault (state, impact, id);
CREATE INDEX fault_by_last_seen ON fault (state, last_seen, id);
CREATE INDEX fault_by_change ON fault (changed_at);
CREATE INDEX fault_of_project ON fault (project, last_seen);

-- every key of every fault; only those with groups = 1 take events in, the others serve continuity
CREATE TABLE fault_key (
  project TEXT NOT NULL,
  key TEXT NOT NULL,
  fault INTEGER NOT NULL,
  groups INTEGER NOT NULL,
  PRIMARY KEY (project, key, fault)
) WITHOUT ROWID;

-- how often a fault was seen with a value of a tag, release, host ...
CREATE TABLE fault_value (
  fault INTEGER NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  events INTEGER NOT NULL,
  first_seen REAL NOT NULL,
  PRIMARY KEY (fault, name, value)
) WITHOUT ROWID;

-- the same for a whole project: releases, hosts, environments
CREATE TABLE project_value (
  project TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  events INTEGER NOT NULL,
  first_seen REAL NOT NULL,
  last_seen REAL NOT NULL,
  PRIMARY KEY (project, name, value)
) WITHOUT ROWID;

CREATE TABLE fault_user (fault INTEGER NOT NULL, identity BLOB NOT NULL, PRIMARY KEY (fault, identity)) WITHOUT ROWID;

-- events: by the hour they happened in; arrived: by the hour they came in, which decides whether a payload is kept
CREATE TABLE fault_hour (
  fault INTEGER NOT NULL,
  hour INTEGER NOT NULL,
  events INTEGER NOT NULL DEFAULT 0,
  arrived INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (fault, hour)
) WITHOUT ROWID;

CREATE TABLE project_hour (
  project TEXT NOT NULL,
  hour INTEGER NOT NULL,
  cause TEXT NOT NULL,
  events INTEGER NOT NULL,
  PRIMARY KEY (project, hour, cause)
) WITHOUT ROWID;

CREATE TABLE change (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  fault INTEGER NOT NULL,
  at REAL NOT NULL,
  by TEXT NOT NULL,
  what TEXT NOT NULL
);
CREATE INDEX change_of_fault ON change (fault, id);

-- every event ever counted, kept or not: this is what makes a second delivery count nothing
CREATE TABLE seen (
  event_id BLOB NOT NULL,
  project TEXT NOT NULL,
  fault INTEGER NOT NULL,
  timestamp REAL NOT NULL,
  event INTEGER,
  PRIMARY KEY (event_id, project)
) WITHOUT ROWID;

-- events whose payload is kept
CREATE TABLE event (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL,
  event_id BLOB NOT NULL,
  fault INTEGER NOT NULL,
  timestamp REAL NOT NULL,
  received_at REAL NOT NULL,
  message TEXT NOT NULL,
  release TEXT NOT NULL,
  environment TEXT NOT NULL,
  host TEXT NOT NULL,
  method TEXT NOT NULL,
  url TEXT NOT NULL,
  user TEXT NOT NULL,
  sdk TEXT NOT NULL,
  segment INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  length INTEGER NOT NULL,
  dictionary INTEGER NOT NULL
);
CREATE INDEX event_of_fault ON event (fault, id);
CREATE INDEX event_of_project ON event (project, id);
CREATE INDEX event_of_segment ON event (segment);

CREATE TABLE malformed (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL,
  event_id BLOB NOT NULL,
  received_at REAL NOT NULL,
  reason TEXT NOT NULL,
  data BLOB NOT NULL,
  UNIQUE (event_id, project)
);
CREATE INDEX malformed_of_project ON malformed (project, id);

CREATE TABLE tally (
  project TEXT NOT NULL,
  outcome TEXT NOT NULL,
  item TEXT NOT NULL,
  reason TEXT NOT NULL,
  sdk TEXT NOT NULL,
  quantity INTEGER NOT NULL,
  PRIMARY KEY (project, outcome, item, reason, sdk)
) WITHOUT ROWID;

-- files of payloads; bytes is what is committed, anything behind it in the file is the rest of a crash
CREATE TABLE segment (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  bytes INTEGER NOT NULL DEFAULT 0,
  events INTEGER NOT NULL DEFAULT 0,
  newest_at REAL NOT NULL DEFAULT 0
);

-- trained zstd dictionaries, kept for ever: what was written with one can only be read with it
CREATE TABLE dictionary (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL,
  created_at REAL NOT NULL,
  bytes BLOB NOT NULL
);
CREATE INDEX dictionary_of_project ON dictionary (project, id);
