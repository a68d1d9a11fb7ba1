"""What is wrong: one module per family, one function per rule. Rules are pure: they judge linked facts."""
