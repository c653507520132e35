"""For tests of applications and adapters: contract suites, scripted models, a clock moved by hand."""
