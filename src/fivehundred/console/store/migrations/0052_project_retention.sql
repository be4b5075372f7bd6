-- What a project keeps, below what the installation does; NULL is no bound of its own.
CREATE TABLE project_retention (
  project TEXT PRIMARY KEY,
  days INTEGER,
  events INTEGER,
  megabytes INTEGER
);
