"""The authors' protocol: written next."""


def run(name: str) -> None:
    """Nothing yet."""
