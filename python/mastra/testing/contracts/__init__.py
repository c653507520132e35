"""Contract suites, one a port: what every adapter must do, run by our tests and by whoever writes an adapter."""
