"""The database: tables, connections, and the questions asked of them."""
