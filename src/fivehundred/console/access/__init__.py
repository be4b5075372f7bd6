"""Access: who is asking, and what they may. Every request passes the gate; nothing else decides."""
