"""What listens to browsers or programs: its address, who may use it, and the packages that must be installed."""

import importlib.util
import os
import re
from dataclasses import dataclass

from fer_keras.config.settings import Settings, setting

#: The environment variable that holds the token, so that it stands in no list of processes.
TOKEN_VARIABLE = "FER_KERAS_TOKEN"
#: Names of this machine that a server for this machine only answers to.
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
_TOKEN = re.compile(r"[\x21-\x7e]{8,1000}")


@dataclass(frozen=True)
class Address(Settings):
    """Where a server listens."""

    host: str = setting("127.0.0.1", "address to listen on; other machines reach it if it is 0.0.0.0")
    port: int = setting(8000, "port to listen on", low=1, high=65535)

    @property
    def is_local(self) -> bool:
        """Whether this machine alone reaches it."""
        return self.host.lower() in LOOPBACK_NAMES or self.host.startswith("127.")


@dataclass(frozen=True)
class Access(Settings):
    """Who may use the server."""

    token: str | None = setting(
        None,
        f"secret that requests must send as 'Authorization: Bearer SECRET'; default: ${TOKEN_VARIABLE}, or none",
        metavar="SECRET",
    )
    allowed_host: str = setting(
        "",
        "names under which the server is reached, with commas between them, such as faces.example.org; requests for other "
        "names are refused; default: the names of this machine where --host is one of them, otherwise any",
        metavar="NAME",
    )
    cors_origin: str = setting(
        "",
        "origins of web pages whose scripts may send images and read the answers, with commas between them, such as "
        "https://example.org; * for any",
        metavar="URL",
    )

    def __post_init__(self):
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise ValueError(
                f"--token expects 8 to 1000 letters, digits and signs without spaces. Received: {len(self.token)} characters. "
                'Make one: python -c "import secrets; print(secrets.token_urlsafe())".'
            )
        super().__post_init__()

    def secret(self) -> str | None:
        """Return the token of the flag, or that of the environment, or None.

        Raises:
            ValueError: the environment holds one that no header can carry, or that is too short.
        """
        if self.token is not None:
            return self.token
        return Access(token=os.environ[TOKEN_VARIABLE]).token if os.environ.get(TOKEN_VARIABLE) else None

    def hosts(self, address: Address) -> tuple[str, ...] | None:
        """Return the names that requests may ask for, without ports, or None for any."""
        named = _listed(self.allowed_host)
        if not named and not address.is_local:
            return None
        return (*LOOPBACK_NAMES, address.host, *named)

    def origins(self) -> tuple[str, ...]:
        """Return the origins of `cors_origin`."""
        return _listed(self.cors_origin)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


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
