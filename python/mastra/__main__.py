"""`python -m mastra` is the command `mastra`."""

from mastra.cli.main import main

if __name__ == "__main__":
    main()
