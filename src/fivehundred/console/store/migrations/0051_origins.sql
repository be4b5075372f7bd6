-- Web pages that may send events to a project; one without rows takes them from every page.
CREATE TABLE project_origin (
  project TEXT NOT NULL,
  origin TEXT NOT NULL,
  PRIMARY KEY (project, origin)
);
