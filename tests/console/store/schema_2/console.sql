BEGIN TRANSACTION;
CREATE TABLE change (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  fault INTEGER NOT NULL,
  at REAL NOT NULL,
  by TEXT NOT NULL,
  what TEXT NOT NULL
);
INSERT INTO "change" VALUES(1,2,1790000000.0,'ada','resolved');
CREATE TABLE dictionary (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL,
  created_at REAL NOT NULL,
  bytes BLOB NOT NULL
);
CREATE TABLE event (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL,
  event_id BLOB NOT NULL,
  fault INTEGER NOT NULL,
  timestamp REAL NOT NULL,
  received_at REAL NOT NULL,
  message TEXT NOT NULL,
  release TEXT NOT NULL,
  environment TEXT NOT NULL,
  host TEXT NOT NULL,
  method TEXT NOT NULL,
  url TEXT NOT NULL,
  user TEXT NOT NULL,
  sdk TEXT NOT NULL,
  segment INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  length INTEGER NOT NULL,
  dictionary INTEGER NOT NULL
);
INSERT INTO "event" VALUES(1,'1',X'00000000000000000000000000000001',1,1790000000.0,1790000000.0,'message','1.0','production','','','','u1','',1,0,331,0);
INSERT INTO "event" VALUES(2,'1',X'00000000000000000000000000000002',2,1790000000.0,1790000000.0,'message','1.0','production','','','','u1','',1,331,334,0);
INSERT INTO "event" VALUES(3,'1',X'00000000000000000000000000000003',1,1790000000.0,1790000000.0,'message','1.0','production','','','','u1','',1,665,334,0);
INSERT INTO "event" VALUES(4,'1',X'00000000000000000000000000000004',2,1790000000.0,1790000000.0,'message','1.0','production','','','','u1','',1,999,334,0);
INSERT INTO "event" VALUES(5,'1',X'00000000000000000000000000000005',1,1790000000.0,1790000000.0,'message','1.0','production','','','','u1','',1,1333,334,0);
INSERT INTO "event" VALUES(6,'1',X'00000000000000000000000000000006',2,1790000000.0,1790000000.0,'message','1.0','production','','','','u1','',1,1667,334,0);
CREATE TABLE fault (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL,
  title TEXT NOT NULL,
  message TEXT NOT NULL,
  culprit TEXT NOT NULL,
  method TEXT NOT NULL,
  route TEXT NOT NULL,
  status INTEGER,
  platform TEXT NOT NULL,
  level TEXT NOT NULL,
  state TEXT NOT NULL,
  cause TEXT NOT NULL,
  confidence TEXT NOT NULL,
  transient TEXT NOT NULL,
  sentence TEXT NOT NULL,
  events INTEGER NOT NULL,
  users INTEGER NOT NULL,
  first_seen REAL NOT NULL,
  last_seen REAL NOT NULL,
  first_release TEXT NOT NULL,
  last_release TEXT NOT NULL,
  environment TEXT NOT NULL,
  resolved_at REAL,
  regressed_at REAL,
  changed_at REAL NOT NULL,
  impact REAL NOT NULL,
  last_event_id BLOB NOT NULL,
  search TEXT NOT NULL,
  diagnosis TEXT NOT NULL,
  fingerprint TEXT NOT NULL
);
INSERT INTO "fault" VALUES(1,'1','k0','message','shop.total','','',NULL,'other','error','open','bug','likely','no','It is a bug.',3,1,1790000000.0,1790000000.0,'1.0','1.0','production',NULL,NULL,1790000000.0,8.287337037037036498e+04,X'00000000000000000000000000000005','k0
message
shop.total
 ','{"cause":"bug","confidence":"likely","transient":"no","rule":"bug.code","sentence":"It is a bug.","advice":"Fix it.","retry":"Retrying does not help.","evidence":[],"ruled_out":[],"also":[],"missing":[],"runbook":[]}','{"version":1,"keys":[{"kind":"strict","value":"k0","parts":[]}],"title":"k0","message":"message","culprit":"shop.total","root":0,"frame":0,"why":[],"continues":""}');
INSERT INTO "fault" VALUES(2,'1','k1','message','shop.total','','',NULL,'other','error','resolved','bug','likely','no','It is a bug.',3,1,1790000000.0,1790000000.0,'1.0','1.0','production',1790000000.0,NULL,1790000000.0,8.287337037037036498e+04,X'00000000000000000000000000000006','k1
message
shop.total
 ','{"cause":"bug","confidence":"likely","transient":"no","rule":"bug.code","sentence":"It is a bug.","advice":"Fix it.","retry":"Retrying does not help.","evidence":[],"ruled_out":[],"also":[],"missing":[],"runbook":[]}','{"version":1,"keys":[{"kind":"strict","value":"k1","parts":[]}],"title":"k1","message":"message","culprit":"shop.total","root":0,"frame":0,"why":[],"continues":""}');
CREATE TABLE fault_hour (
  fault INTEGER NOT NULL,
  hour INTEGER NOT NULL,
  events INTEGER NOT NULL DEFAULT 0,
  arrived INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (fault, hour)
) WITHOUT ROWID;
INSERT INTO "fault_hour" VALUES(1,497222,3,3);
INSERT INTO "fault_hour" VALUES(2,497222,3,3);
CREATE TABLE fault_key (
  project TEXT NOT NULL,
  key TEXT NOT NULL,
  fault INTEGER NOT NULL,
  groups INTEGER NOT NULL,
  PRIMARY KEY (project, key, fault)
) WITHOUT ROWID;
INSERT INTO "fault_key" VALUES('1','k0',1,1);
INSERT INTO "fault_key" VALUES('1','k1',2,1);
CREATE TABLE fault_user (fault INTEGER NOT NULL, identity BLOB NOT NULL, PRIMARY KEY (fault, identity)) WITHOUT ROWID;
INSERT INTO "fault_user" VALUES(1,X'92994D683F4E6AD5');
INSERT INTO "fault_user" VALUES(2,X'92994D683F4E6AD5');
CREATE TABLE fault_value (
  fault INTEGER NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  events INTEGER NOT NULL,
  first_seen REAL NOT NULL,
  PRIMARY KEY (fault, name, value)
) WITHOUT ROWID;
INSERT INTO "fault_value" VALUES(1,'environment','production',3,1790000000.0);
INSERT INTO "fault_value" VALUES(1,'level','error',3,1790000000.0);
INSERT INTO "fault_value" VALUES(1,'release','1.0',3,1790000000.0);
INSERT INTO "fault_value" VALUES(2,'environment','production',3,1790000000.0);
INSERT INTO "fault_value" VALUES(2,'level','error',3,1790000000.0);
INSERT INTO "fault_value" VALUES(2,'release','1.0',3,1790000000.0);
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
INSERT INTO "feedback" VALUES(1,'1',X'00000000000000000000000000000001',1790000000.0,'Ada','','It broke.');
CREATE TABLE malformed (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL,
  event_id BLOB NOT NULL,
  received_at REAL NOT NULL,
  reason TEXT NOT NULL,
  data BLOB NOT NULL,
  UNIQUE (event_id, project)
);
INSERT INTO "malformed" VALUES(1,'1',X'00000000000000000000000000000063',1790000000.0,'not JSON',X'7B');
CREATE TABLE mark (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO "mark" VALUES('offset','');
INSERT INTO "mark" VALUES('version',3);
CREATE TABLE memory (project TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE project (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  key TEXT NOT NULL UNIQUE,
  created_at REAL NOT NULL
) WITHOUT ROWID;
INSERT INTO "project" VALUES('1','shop','0123456789abcdef0123456789abcdef',1790000000.0);
CREATE TABLE project_hour (
  project TEXT NOT NULL,
  hour INTEGER NOT NULL,
  cause TEXT NOT NULL,
  events INTEGER NOT NULL,
  PRIMARY KEY (project, hour, cause)
) WITHOUT ROWID;
INSERT INTO "project_hour" VALUES('1',497222,'bug',6);
CREATE TABLE project_value (
  project TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  events INTEGER NOT NULL,
  first_seen REAL NOT NULL,
  last_seen REAL NOT NULL,
  PRIMARY KEY (project, name, value)
) WITHOUT ROWID;
INSERT INTO "project_value" VALUES('1','environment','production',6,1790000000.0,1790000000.0);
INSERT INTO "project_value" VALUES('1','release','1.0',6,1790000000.0,1790000000.0);
CREATE TABLE seen (
  event_id BLOB NOT NULL,
  project TEXT NOT NULL,
  fault INTEGER NOT NULL,
  timestamp REAL NOT NULL,
  event INTEGER,
  PRIMARY KEY (event_id, project)
) WITHOUT ROWID;
INSERT INTO "seen" VALUES(X'00000000000000000000000000000001','1',1,1790000000.0,1);
INSERT INTO "seen" VALUES(X'00000000000000000000000000000002','1',2,1790000000.0,2);
INSERT INTO "seen" VALUES(X'00000000000000000000000000000003','1',1,1790000000.0,3);
INSERT INTO "seen" VALUES(X'00000000000000000000000000000004','1',2,1790000000.0,4);
INSERT INTO "seen" VALUES(X'00000000000000000000000000000005','1',1,1790000000.0,5);
INSERT INTO "seen" VALUES(X'00000000000000000000000000000006','1',2,1790000000.0,6);
CREATE TABLE segment (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  bytes INTEGER NOT NULL DEFAULT 0,
  events INTEGER NOT NULL DEFAULT 0,
  newest_at REAL NOT NULL DEFAULT 0
);
INSERT INTO "segment" VALUES(1,2001,6,1790000000.0);
CREATE TABLE tally (
  project TEXT NOT NULL,
  outcome TEXT NOT NULL,
  item TEXT NOT NULL,
  reason TEXT NOT NULL,
  sdk TEXT NOT NULL,
  quantity INTEGER NOT NULL,
  PRIMARY KEY (project, outcome, item, reason, sdk)
) WITHOUT ROWID;
INSERT INTO "tally" VALUES('1','kept','event','','',6);
INSERT INTO "tally" VALUES('1','kept','feedback','','',1);
INSERT INTO "tally" VALUES('1','malformed','event','not JSON','',1);
INSERT INTO "tally" VALUES('1','received','event','','',6);
CREATE INDEX fault_by_impact ON fault (state, impact, id);
CREATE INDEX fault_by_last_seen ON fault (state, last_seen, id);
CREATE INDEX fault_by_change ON fault (changed_at);
CREATE INDEX fault_of_project ON fault (project, last_seen);
CREATE INDEX change_of_fault ON change (fault, id);
CREATE INDEX event_of_fault ON event (fault, id);
CREATE INDEX event_of_project ON event (project, id);
CREATE INDEX event_of_segment ON event (segment);
CREATE INDEX malformed_of_project ON malformed (project, id);
CREATE INDEX dictionary_of_project ON dictionary (project, id);
CREATE INDEX feedback_of_project ON feedback (project, id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('segment',1);
INSERT INTO "sqlite_sequence" VALUES('fault',2);
INSERT INTO "sqlite_sequence" VALUES('event',6);
INSERT INTO "sqlite_sequence" VALUES('malformed',1);
INSERT INTO "sqlite_sequence" VALUES('feedback',1);
INSERT INTO "sqlite_sequence" VALUES('change',1);
COMMIT;
PRAGMA user_version = 2;
