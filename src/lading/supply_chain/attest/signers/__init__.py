"""What Lading signs with: a key in a file, in a PKCS#11 token, or in a key service, named by a URI as cosign names it.

Before it: the setting LADING_SIGNING_KEY. After it: everything that is signed, through the port `Signer`. Adapters are
imported when their kind of URI is opened, so that their libraries may be absent.
"""
