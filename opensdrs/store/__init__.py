"""Storage of the control plane: SQLAlchemy Core tables, typed rows, Alembic migrations; SQLite and PostgreSQL."""
