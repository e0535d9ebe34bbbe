"""One module of routes for each topic. Handlers read a request, call one thing below, and shape the answer."""
