"""The errors of policy. A refusal is not an error: it is a Decision."""

from __future__ import annotations

from lading.kernel.errors import InvalidInput, LadingError


class PolicyError(LadingError):
    """Something is wrong with the rules, their exceptions or a kept decision."""

    code = "policy"


class PolicyInvalid(PolicyError, InvalidInput):
    """A rule file does not have the form of one; the message names file, line and rule."""

    code = "policy_invalid"


class PolicyDoesNotCompile(PolicyInvalid):
    """A CEL expression of a rule does not compile."""

    code = "policy_does_not_compile"


class PolicyEmpty(PolicyError):
    """There is no rule to judge by. Nothing is allowed because nobody said what is forbidden."""

    code = "policy_empty"


class EvaluationFailed(PolicyError):
    """An expression compiled but came to no true or false for this input. The rule that asked denies."""

    code = "evaluation_failed"
