"""What the Console knows, behind one protocol."""
