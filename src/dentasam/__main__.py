"""`python -m dentasam`: the same command where its script is not on the path (torchrun, accelerate launch)."""

from dentasam.cli.app import main

if __name__ == "__main__":
    main()
