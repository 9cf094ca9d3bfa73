"""Months of the books: closed once, then late facts count in the open one."""
