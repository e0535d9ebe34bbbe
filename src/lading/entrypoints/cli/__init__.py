"""The `lading` command. Everything but `up`, `down`, `doctor` and `demo` talks to the API."""
