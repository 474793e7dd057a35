"""Data to train on, behind one registry."""
