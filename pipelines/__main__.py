"""`python -m pipelines` is the `signals` command."""

from pipelines.cli import main

if __name__ == "__main__":
    main()
