-- Where the source of a project lies on the Console's machine, and what was found there about faults.
CREATE TABLE repository (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL UNIQUE,
  path TEXT NOT NULL
);

CREATE TABLE suspect (
  fault INTEGER PRIMARY KEY,
  event_id TEXT NOT NULL,
  found TEXT NOT NULL,
  looked_at REAL NOT NULL
);
