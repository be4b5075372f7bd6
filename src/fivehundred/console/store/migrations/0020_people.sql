-- Who may use the Console. Passwords, sessions, tokens and invites are kept as hashes; nothing here opens anything.
CREATE TABLE person (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  shown TEXT NOT NULL,
  role TEXT NOT NULL,
  password TEXT NOT NULL,
  subject TEXT NOT NULL,
  totp_sealed TEXT NOT NULL,
  totp_used INTEGER NOT NULL,
  recovery TEXT NOT NULL,
  created_at REAL NOT NULL,
  signed_in_at REAL,
  disabled_at REAL
);

CREATE TABLE invite (
  hash TEXT PRIMARY KEY,
  person INTEGER NOT NULL,
  expires_at REAL NOT NULL
);

CREATE TABLE session (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  hash TEXT NOT NULL UNIQUE,
  person INTEGER NOT NULL,
  created_at REAL NOT NULL,
  used_at REAL NOT NULL,
  address TEXT NOT NULL,
  agent TEXT NOT NULL
);
CREATE INDEX session_of_person ON session (person);

CREATE TABLE token (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  hash TEXT NOT NULL UNIQUE,
  prefix TEXT NOT NULL,
  person INTEGER NOT NULL,
  name TEXT NOT NULL,
  scope TEXT NOT NULL,
  project TEXT NOT NULL,
  created_at REAL NOT NULL,
  expires_at REAL,
  used_at REAL
);
CREATE INDEX token_of_person ON token (person);

CREATE TABLE team (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE
);

CREATE TABLE team_member (
  team INTEGER NOT NULL,
  person INTEGER NOT NULL,
  PRIMARY KEY (team, person)
);

CREATE TABLE team_project (
  team INTEGER NOT NULL,
  project TEXT NOT NULL,
  PRIMARY KEY (team, project)
);

-- failed sign-ins, by who was named and from where; old ones are deleted as new ones are written
CREATE TABLE failed_sign_in (
  key TEXT NOT NULL,
  at REAL NOT NULL
);
CREATE INDEX failed_sign_in_of ON failed_sign_in (key, at);

CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at REAL NOT NULL,
  who TEXT NOT NULL,
  what TEXT NOT NULL,
  about TEXT NOT NULL,
  address TEXT NOT NULL
);
