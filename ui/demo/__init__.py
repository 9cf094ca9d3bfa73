"""The demonstration: the whole loop from recorded history to a served twin."""
