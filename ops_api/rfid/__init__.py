"""RFID: bulk reads of tags as observations that a count can use."""
