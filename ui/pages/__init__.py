"""Panel pages: each a function from a source and a visit to a page."""
