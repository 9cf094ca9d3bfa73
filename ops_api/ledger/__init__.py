"""The ledger in SQL: tables, the one write path, exchange with columns, and its health check."""
