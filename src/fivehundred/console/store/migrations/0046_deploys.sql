-- Releases that somebody announced (a deploy script), beside those that events name. Times as the sender says them.
CREATE TABLE announced (
  project TEXT NOT NULL,
  release TEXT NOT NULL,
  created_at REAL NOT NULL,
  released_at REAL,
  url TEXT NOT NULL,
  ref TEXT NOT NULL,
  PRIMARY KEY (project, release)
);
CREATE INDEX announced_by_time ON announced (project, created_at);

CREATE TABLE deploy (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL,
  release TEXT NOT NULL,
  environment TEXT NOT NULL,
  name TEXT NOT NULL,
  url TEXT NOT NULL,
  started_at REAL,
  finished_at REAL NOT NULL
);
CREATE INDEX deploy_by_time ON deploy (project, finished_at);
