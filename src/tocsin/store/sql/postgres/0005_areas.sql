-- Areas that were written through the API.
CREATE TABLE areas (
  name TEXT PRIMARY KEY,
  body TEXT NOT NULL
);
