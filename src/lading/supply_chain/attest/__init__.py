"""Signed statements about images: who made it, what is in it, that it was approved; and its signature.

    predicate -> in-toto Statement -> DSSE envelope -> artifact that refers to the image
    digest -> simple-signing payload -> cosign's tag beside the image

Before it: build, inventory and admission, which know what to say. After it: anybody with the public key can check it
without Lading, and policy asks that it is there.
"""
