"""Users' access tokens: ES256, checked with public keys alone."""

import re

import jwt


class InvalidToken(Exception):
    pass


class Tokens:
    def __init__(self, jwks, issuer, audience):
        self._keys = {key["kid"]: jwt.PyJWK(key, algorithm="ES256").key for key in jwks["keys"]}
        self._expected = {"issuer": issuer, "audience": audience}

    def user_of(self, header):
        """The user's number; None for whoever sends no token, and for another service's, which makes no user."""
        found = re.fullmatch(r"Bearer +(\S+)", header or "", re.IGNORECASE)
        if not found:
            return None
        try:
            head = jwt.get_unverified_header(found[1])
            if head.get("typ") == "internal+jwt":
                return None
            if head.get("typ") != "at+jwt" or head.get("kid") not in self._keys:
                raise InvalidToken("The token is not valid here.")
            key = self._keys[head["kid"]]
            required = {"require": ["exp", "sub"]}
            claims = jwt.decode(found[1], key, algorithms=["ES256"], options=required, **self._expected)
            return int(claims["sub"])
        except jwt.ExpiredSignatureError:
            raise InvalidToken("The token has expired.") from None
        except (jwt.InvalidTokenError, ValueError):
            raise InvalidToken("The token is not valid here.") from None
