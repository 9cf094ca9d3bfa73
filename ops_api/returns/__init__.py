"""Returns: from customers, from stores to a warehouse, and to suppliers."""
