-- what users wrote about an event, which may arrive before, after or without it
CREATE TABLE feedback (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL,
  event_id BLOB NOT NULL,
  received_at REAL NOT NULL,
  name TEXT NOT NULL,
  email TEXT NOT NULL,
  message TEXT NOT NULL,
  UNIQUE (event_id, project, message)
);
CREATE INDEX feedback_of_project ON feedback (project, id);
