"""Keys in AWS KMS and in what speaks its protocol. `awskms://[ENDPOINT]/KEY`: an id, an ARN or an alias, as in cosign.

Who asks is found as every AWS tool finds it: environment, profile, role of the machine. It needs kms:GetPublicKey and
kms:Sign on the key. What is sent is the hash of a message (MessageType DIGEST).
"""

from __future__ import annotations

import re
from typing import Any, Final

from cryptography.hazmat.primitives import serialization

from lading.supply_chain.attest.errors import KeyUnusable
from lading.supply_chain.attest.keys_public import Algorithm, AnyPublicKey
from lading.supply_chain.attest.signers.held import HeldKey

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError as missing:
    raise KeyUnusable("Keys in AWS KMS need the package boto3.", remedy="Run: pip install boto3") from missing

_URI: Final = re.compile(r"awskms://(?P<endpoint>[^/]*)/(?P<key>[A-Za-z0-9:/_-]{1,2048})")
_LOOPBACK: Final = re.compile(r"(localhost|127\.[0-9.]+|\[::1\])(:[0-9]+)?")
_SECONDS: Final = 10
_ALGORITHMS: Final = {
    Algorithm.ECDSA_P256: "ECDSA_SHA_256",
    Algorithm.ECDSA_P384: "ECDSA_SHA_384",
    Algorithm.ECDSA_P521: "ECDSA_SHA_512",
    Algorithm.RSA: "RSASSA_PKCS1_V1_5_SHA_256",
}


def open_awskms(uri: str) -> AwsKey:
    """The key that a URI names; raises KeyUnusable."""
    found = _URI.fullmatch(uri)
    if found is None:
        raise KeyUnusable(
            f"{uri[:200]!r} names no key of AWS KMS.", remedy="Write awskms:///alias/NAME or awskms:///ARN."
        )
    endpoint, key = found["endpoint"], found["key"]
    scheme = "http" if _LOOPBACK.fullmatch(endpoint) else "https"
    region = key.split(":")[3] if key.startswith("arn:") and key.count(":") >= 5 else None
    config = Config(connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"total_max_attempts": 3})
    try:
        client = boto3.client(
            "kms", region_name=region, endpoint_url=f"{scheme}://{endpoint}" if endpoint else None, config=config
        )
        answer = client.get_public_key(KeyId=key)
        public = serialization.load_der_public_key(answer["PublicKey"])
    except (BotoCoreError, ClientError, ValueError) as error:
        raise _unusable(key, error) from error
    return AwsKey(client, str(answer["KeyId"]), public, key)


class AwsKey(HeldKey):
    """A key in AWS KMS, by the ARN that its name had at the start."""

    def __init__(self, client: Any, arn: str, key: object, name: str) -> None:
        """Raises KeyUnusable for a kind of key that is not used here."""
        if not isinstance(key, AnyPublicKey):
            raise KeyUnusable(f"{name} in AWS KMS is no key that signs.", remedy="Use ECC_NIST_P256.")
        super().__init__(key, f"{name} in AWS KMS")
        if self.algorithm not in _ALGORITHMS:
            raise KeyUnusable(f"{name} in AWS KMS signs {self.algorithm}.", remedy="Use ECC_NIST_P256.")
        self._client, self._arn, self._name = client, arn, name

    def _signed(self, message: bytes) -> bytes:
        try:
            answer = self._client.sign(
                KeyId=self._arn,
                Message=self._hashed(message),
                MessageType="DIGEST",
                SigningAlgorithm=_ALGORITHMS[self.algorithm],
            )
        except (BotoCoreError, ClientError) as error:
            raise _unusable(self._name, error) from error
        return bytes(answer["Signature"])


def _unusable(name: str, error: Exception) -> KeyUnusable:
    code = str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""
    remedy = {
        "AccessDeniedException": "Allow kms:GetPublicKey and kms:Sign on the key to whom Lading runs as.",
        "NotFoundException": "Check LADING_SIGNING_KEY and the region.",
        "DisabledException": "Enable the key, or name another in LADING_SIGNING_KEY.",
        "KMSInvalidStateException": "Enable the key, or name another in LADING_SIGNING_KEY.",
        "InvalidKeyUsageException": "Use a key made for SIGN_VERIFY.",
    }.get(code, "Check the network, the region (AWS_REGION) and the credentials.")
    return KeyUnusable(f"{name} in AWS KMS cannot be used: {str(error)[:200]}", remedy=remedy)
