"""The Console for agents: the Model Context Protocol over the JSON API. Read-only unless asked otherwise."""
