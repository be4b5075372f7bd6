-- What people decided about grouping: merges and splits. One that was taken back keeps its row.
CREATE TABLE choice (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL,
  kind TEXT NOT NULL,
  fault INTEGER NOT NULL,
  other INTEGER,
  field TEXT NOT NULL DEFAULT '',
  value TEXT NOT NULL DEFAULT '',
  data TEXT NOT NULL,
  at REAL NOT NULL,
  by TEXT NOT NULL,
  undone_at REAL,
  undone_by TEXT NOT NULL DEFAULT ''
);
CREATE INDEX choice_of_project ON choice (project, kind);
CREATE INDEX choice_of_fault ON choice (fault);
CREATE INDEX choice_of_other ON choice (other);

-- Rules of a Console: events that fit all matchers have this fingerprint. project is empty for all.
CREATE TABLE grouping_rule (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL,
  matchers TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  enabled INTEGER NOT NULL,
  created_at REAL NOT NULL,
  created_by TEXT NOT NULL
);
