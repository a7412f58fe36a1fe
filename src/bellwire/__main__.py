"""``python -m bellwire`` is ``bellwire``."""

from bellwire.cli import main

if __name__ == "__main__":
    main(prog_name="bellwire")
