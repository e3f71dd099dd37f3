"""`python -m awflow` is the `awflow` command."""

from awflow.cli import main

if __name__ == '__main__':
    main()
