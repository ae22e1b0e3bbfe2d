"""A user name and a password for RTMP, as Adobe's AccessManager and Limelight's servers ask for them. Pure.

In: the words of a refusal, the application, the name and the password. Out: what the next `connect` carries behind
the application, or None when the refusal asks for nothing that we could say. The password never travels: what does
is a digest with the server's challenge. (As ffmpeg and librtmp do it; there is no published specification.)
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from typing import NamedTuple

METHOD = "publish"
INSTANCE = "/_definst_"
COUNT = "00000001"
REALM = "live"
PAIR = re.compile(r"(user|salt|challenge|opaque|nonce)=([^&\s]*)")


class Login(NamedTuple):
    user: str
    password: str

    def __repr__(self) -> str:
        return "Login()"


def answer(words: str, app: str, login: Login, nonce: str) -> str | None:
    """`nonce`: eight hexadecimal digits, new each time."""
    kind = next((kind for kind in ("adobe", "llnw") if f"authmod={kind}" in words), None)
    if kind is None:
        return None
    if "code=403 need auth" in words:
        return f"?authmod={kind}&user={login.user}"
    asked = dict(PAIR.findall(words))
    if "needauth" not in words:
        return None
    return _adobe(asked, login, nonce) if kind == "adobe" else _limelight(asked, app, login, nonce)


def _adobe(asked: dict[str, str], login: Login, nonce: str) -> str:
    inner = _base64(login.user + asked.get("salt", "") + login.password)
    opaque = asked.get("opaque", "")
    response = _base64(inner + (opaque or asked.get("challenge", "")) + nonce)
    more = f"&opaque={opaque}" if opaque else ""
    return f"?authmod=adobe&user={login.user}&challenge={nonce}&response={response}{more}"


def _limelight(asked: dict[str, str], app: str, login: Login, nonce: str) -> str:
    theirs = asked.get("nonce", "")
    who = _hex(f"{login.user}:{REALM}:{login.password}")
    what = _hex(f"{METHOD}:/{app}{'' if '/' in app else INSTANCE}")
    response = _hex(f"{who}:{theirs}:{COUNT}:{nonce}:auth:{what}")
    return f"?authmod=llnw&user={login.user}&nonce={theirs}&cnonce={nonce}&nc={COUNT}&response={response}"


def _base64(text: str) -> str:
    return b64encode(hashlib.md5(text.encode(), usedforsecurity=False).digest()).decode()


def _hex(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
