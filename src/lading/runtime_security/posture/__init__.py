"""What a container really has, against what it was allowed."""

from lading.runtime_security.posture.allowance import Allowance
from lading.runtime_security.posture.assessor import Assessment, PostureAssessor
from lading.runtime_security.posture.found import ContainerInspector, Found, KernelView

__all__ = ["Allowance", "Assessment", "ContainerInspector", "Found", "KernelView", "PostureAssessor"]
