-- How many requests went well or not, as Guards count them: the denominator of every rate. Minutes since 1970.
CREATE TABLE rate (
  project TEXT NOT NULL,
  minute INTEGER NOT NULL,
  route TEXT NOT NULL,
  method TEXT NOT NULL,
  good INTEGER NOT NULL,
  refused INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  PRIMARY KEY (project, minute, route, method)
);
CREATE INDEX rate_by_minute ON rate (minute);

-- The good ones by what they were served with, by the day: what differs between good and failing requests.
CREATE TABLE rate_value (
  project TEXT NOT NULL,
  day INTEGER NOT NULL,
  route TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  good INTEGER NOT NULL,
  PRIMARY KEY (project, day, route, name, value)
);
