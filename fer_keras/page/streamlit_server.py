"""`python -m fer_keras.page.streamlit_server run PAGE`: Streamlit, which does not ask the internet for its own address.

Streamlit asks checkip.amazonaws.com under which address others see the machine: when it starts on all addresses, and when a
browser comes by a name that it does not know.
"""

import contextlib
import runpy


def keep_quiet() -> None:
    """Let Streamlit know no address but those of the machine itself."""
    with contextlib.suppress(ImportError):
        from streamlit import net_util

        net_util.get_external_ip = lambda: None


if __name__ == "__main__":
    keep_quiet()
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)
