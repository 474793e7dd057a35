"""A run as a value: configuration, state, and the pure step between states."""
