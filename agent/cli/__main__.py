"""`python -m agent.cli` is `dealscribe`."""

from agent.cli import main

if __name__ == "__main__":
    main()
