-- Faults that came with an export, counts included: their events are taken in without being counted again.
CREATE TABLE imported (fault INTEGER PRIMARY KEY, at REAL NOT NULL);
