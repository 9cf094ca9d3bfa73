"""Stock at T as known at R, the movements behind it, and reversal."""
