"""Storms: the real server under load while processes, replies, disks and clocks fail."""
