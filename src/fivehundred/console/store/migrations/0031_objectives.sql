-- What share of requests should not fail. route is empty for the whole project.
CREATE TABLE objective (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL,
  route TEXT NOT NULL,
  share REAL NOT NULL,
  UNIQUE (project, route)
);
