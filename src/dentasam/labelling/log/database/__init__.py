"""The database of a workspace: its tables, how it is opened and migrated, and what is damaged in it."""
