"""What the project needs to keep itself in order."""
