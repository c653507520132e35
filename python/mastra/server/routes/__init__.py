"""One module per noun: its handlers, and a mapping from "METHOD /path" to them."""
