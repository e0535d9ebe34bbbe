"""What a whole container strategy must do: capabilities with ids, and which facts show that they are done."""
