"""The daemon: `service` is `dealscribe run`; beside it its threads, its signs of life, and how it is asked."""
