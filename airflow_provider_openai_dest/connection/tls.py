"""TLS: whom a connection trusts. There is no switch that turns the check of certificates off."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx

from airflow_provider_openai_dest.exceptions import ConfigurationError


def new_ssl_context(ca_bundle: str | None) -> ssl.SSLContext:
    """Make the TLS context: the CAs of ``ca_bundle`` and no others, or the public ones.

    Without a bundle, ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` are obeyed, else certifi's list is taken.

    :param ca_bundle: the path of a PEM file, or of a folder of hashed ones.
    """
    if ca_bundle is None:
        return httpx.create_ssl_context()
    path = Path(ca_bundle).expanduser()
    try:
        if path.is_dir():
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except OSError as fault:  # ssl.SSLError is one: the file holds no certificate
        reason = "is not on this machine" if not path.exists() else f"can't be read as PEM certificates ({fault})"
        raise ConfigurationError(f"CA bundle (extra ca_bundle) {ca_bundle!r} {reason}") from None
