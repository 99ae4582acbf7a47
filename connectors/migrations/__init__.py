"""The connector's schema, step by step (Alembic): the client's tables, then the gateway's."""
