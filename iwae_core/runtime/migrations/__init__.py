"""The database's schema, revision by revision; Alembic runs them at the first use of a store."""
