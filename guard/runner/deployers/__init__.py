"""How a service gets to its target, and back: one module per kind, each with a class that is a `Deployer`."""
