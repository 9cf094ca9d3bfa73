"""Scenario files that come with the product."""
