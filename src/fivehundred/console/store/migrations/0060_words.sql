-- Words of faults for the search, each once, split by spaces; the index beside it is kept by triggers.
CREATE TABLE fault_words (fault INTEGER PRIMARY KEY, words TEXT NOT NULL);
CREATE VIRTUAL TABLE fault_text USING fts5(
  words, content = '', contentless_delete = 1, detail = none,
  tokenize = "unicode61 remove_diacritics 0 tokenchars '_'"
);
CREATE TRIGGER fault_words_added AFTER INSERT ON fault_words BEGIN
  INSERT INTO fault_text (rowid, words) VALUES (new.fault, new.words);
END;
CREATE TRIGGER fault_words_changed AFTER UPDATE ON fault_words BEGIN
  UPDATE fault_text SET words = new.words WHERE rowid = new.fault;
END;
CREATE TRIGGER fault_words_removed AFTER DELETE ON fault_words BEGIN
  DELETE FROM fault_text WHERE rowid = old.fault;
END;
INSERT INTO fault_words (fault, words) SELECT id, search FROM fault;
-- the orders that a list can have, each from an index
CREATE INDEX fault_by_first_seen ON fault (state, first_seen, id);
CREATE INDEX fault_by_events ON fault (state, events, id);
CREATE INDEX fault_by_users ON fault (state, users, id);
