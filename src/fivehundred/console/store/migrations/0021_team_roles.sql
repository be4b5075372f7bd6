-- What somebody may do with the projects of a team: 'viewer', 'member' or 'admin'; empty: what their own role gives them.
ALTER TABLE team_member ADD COLUMN role TEXT NOT NULL DEFAULT '';
