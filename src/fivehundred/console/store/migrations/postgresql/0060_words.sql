-- Words of faults for the search, each once, split by spaces.
CREATE TABLE fault_words (
  fault BIGINT PRIMARY KEY,
  words TEXT NOT NULL,
  lexemes TSVECTOR GENERATED ALWAYS AS (array_to_tsvector(array_remove(string_to_array(words, ' '), ''))) STORED
);
CREATE INDEX fault_words_of ON fault_words USING GIN (lexemes);
-- the orders that a list can have, each from an index
CREATE INDEX fault_by_first_seen ON fault (state, first_seen, id);
CREATE INDEX fault_by_events ON fault (state, events, id);
CREATE INDEX fault_by_users ON fault (state, users, id);
