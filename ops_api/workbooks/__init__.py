"""Workbooks and CSV files, out and in: lists, master data, count sheets, proposals."""
