"""An emulated reality that posts to the service over HTTP, as tills, phones and trucks do."""
