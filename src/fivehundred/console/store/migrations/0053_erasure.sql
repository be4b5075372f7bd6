-- Who is to be erased from what was accepted before and is not digested yet. A row goes when nothing of that can wait.
CREATE TABLE erasure (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  anywhere INTEGER NOT NULL,
  until REAL NOT NULL
);
