"""The management API: everything the command line and the console can do, over HTTP, described by OpenAPI."""
