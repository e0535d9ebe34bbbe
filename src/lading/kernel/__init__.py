"""Values everybody speaks. The lowest room: it imports nothing of Lading and does no input or output."""
