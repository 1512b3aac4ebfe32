"""What listens to browsers or programs: its address, and the packages that must be installed."""

import importlib.util
from dataclasses import dataclass

from fer_keras.config.settings import Settings, setting


@dataclass(frozen=True)
class Address(Settings):
    """Where a server listens."""

    host: str = setting("127.0.0.1", "address to listen on; other machines reach it if it is 0.0.0.0")
    port: int = setting(8000, "port to listen on", low=1, high=65535)


def check_packages(extra: str, packages: tuple[str, ...]) -> None:
    """Refuse to start without packages that an extra installs.

    Args:
        extra: of this package, called as the command is.
        packages: names of the modules.

    Raises:
        ValueError: some are not installed.
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(f'{extra} needs {", ".join(missing)}: pip install "fer_keras[{extra}]".')
