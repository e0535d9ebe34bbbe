"""From a source directory to an image: context, Dockerfile, builder, provenance; and base images from packages.

context.pack -> dockerfile.parse -> bases resolved and pinned -> Builder.build -> provenance
"""
