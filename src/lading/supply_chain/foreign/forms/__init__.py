"""One small module for each form: bytes to ForeignReport. They raise msgspec's errors, which the caller translates."""
