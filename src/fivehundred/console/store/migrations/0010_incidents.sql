-- An incident: a span of time in which faults that share a resource, release, host or minute fail beyond normal.
CREATE TABLE incident (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  state TEXT NOT NULL,
  sentence TEXT NOT NULL,
  opened_at REAL NOT NULL,
  last_at REAL NOT NULL,
  resolved_at REAL,
  resolved_why TEXT NOT NULL DEFAULT '',
  acknowledged_at REAL,
  acknowledged_by TEXT NOT NULL DEFAULT '',
  events INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX incident_by_state ON incident (state, last_at);
CREATE INDEX incident_of_project ON incident (project, id);

CREATE TABLE incident_fault (
  incident INTEGER NOT NULL,
  fault INTEGER NOT NULL,
  project TEXT NOT NULL,
  joined_at REAL NOT NULL,
  events INTEGER NOT NULL,
  PRIMARY KEY (incident, fault)
);
CREATE INDEX incident_of_fault ON incident_fault (fault);

-- the blast radius: routes, hosts, releases, environments that its events were seen with
CREATE TABLE incident_value (
  incident INTEGER NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  events INTEGER NOT NULL,
  PRIMARY KEY (incident, name, value)
);

CREATE TABLE incident_user (incident INTEGER NOT NULL, identity BLOB NOT NULL, PRIMARY KEY (incident, identity));

-- What each fault did by the minute, kept for as long as a decision looks back.
CREATE TABLE incident_signal (
  fault INTEGER NOT NULL,
  minute INTEGER NOT NULL,
  project TEXT NOT NULL,
  events INTEGER NOT NULL,
  resource TEXT NOT NULL,
  host TEXT NOT NULL,
  twin TEXT NOT NULL,
  PRIMARY KEY (fault, minute)
);
CREATE INDEX incident_signal_by_minute ON incident_signal (minute);
