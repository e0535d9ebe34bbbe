"""From what shall run and what runs to the steps between them: a pure function to an immutable plan."""
