"""Seeing what a container does that its image does not say.

Three senses: programs started from outside (the engine's events), files written (the engine's diff), programs running
(/proc, compared with the files of the image). They poll: a program that lives shorter than the interval may be missed,
and a script is seen as its interpreter. What a sense cannot see it says.
"""

from lading.runtime_security.sense.events import SensedEvent
from lading.runtime_security.sense.image_files import ImageFile, ImageFiles
from lading.runtime_security.sense.watch import Allowed, DriftWatch

__all__ = ["Allowed", "DriftWatch", "ImageFile", "ImageFiles", "SensedEvent"]
