-- Many machines on one database: how far each partition of the spool is digested, who digests it, who is alive.
CREATE TABLE spool_mark (
  name TEXT PRIMARY KEY,
  place TEXT NOT NULL
);

CREATE TABLE digest_lease (
  name TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  until REAL NOT NULL
);

CREATE TABLE node (
  name TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  started_at REAL NOT NULL,
  seen_at REAL NOT NULL,
  figures TEXT NOT NULL
);

-- How many events of a project are taken per span of time.
CREATE TABLE quota (
  project TEXT NOT NULL,
  per TEXT NOT NULL,
  events INTEGER NOT NULL,
  PRIMARY KEY (project, per)
);
