"""What git knows of a name: which commit took it away, what took its place, and which commit brought a finding in."""
