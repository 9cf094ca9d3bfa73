"""Data quality of the master data: rules, what they find, who puts it right, and the trend."""
