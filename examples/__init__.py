"""Programs that show guard at work."""
