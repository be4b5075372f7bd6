-- Where issues are made, and which fault has which. The token is sealed.
CREATE TABLE tracker (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  url TEXT NOT NULL,
  target TEXT NOT NULL,
  account TEXT NOT NULL,
  sealed TEXT NOT NULL,
  created_at REAL NOT NULL,
  deleted_at REAL
);

CREATE TABLE issue_link (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  fault INTEGER NOT NULL,
  tracker INTEGER NOT NULL,
  title TEXT NOT NULL,
  url TEXT NOT NULL,
  linked_at REAL NOT NULL,
  linked_by TEXT NOT NULL,
  UNIQUE (fault, url)
);
CREATE INDEX issue_link_of_fault ON issue_link (fault, id);
