"""The database on every engine: connections, tables, migrations, and how rows are inserted."""
