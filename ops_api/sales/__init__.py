"""A till's sales: never refused, posted in batches, answered per line."""
