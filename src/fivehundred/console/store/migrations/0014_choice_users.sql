-- Users that both faults of a merge had met before: taking it back gives the others back to the one that was merged.
CREATE TABLE choice_user (choice INTEGER NOT NULL, identity BLOB NOT NULL, PRIMARY KEY (choice, identity));
