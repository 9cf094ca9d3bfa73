"""Purchase orders and receipts from suppliers."""
