"""Write-offs: recorded disposal with a reason, approved above a limit."""
