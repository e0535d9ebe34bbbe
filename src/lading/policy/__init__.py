"""Rules in CEL, judged the same way at build, push, pull, deploy and run.

    YAML files -> load -> Pack (compiled once) -> evaluate(document) -> Decision (kept with everything it was made from)
                                                                         -> explain, replay, simulate

Before it: every room that has something to be judged writes the policy input document. After it: the decision is a row
with its inputs, rule versions and evidence, and a `decision.made` fact in the same transaction. Whatever cannot be
evaluated is refused: a rule that fails, a missing part of the input, an empty pack.
"""
