from pathlib import Path

import pytest

from lading.policy.cel_rust import RustCel
from lading.policy.errors import PolicyDoesNotCompile, PolicyInvalid
from lading.policy.examples import run_examples, without_examples
from lading.policy.pack import default_pack, load_pack, parse_pack

RULE = """\
id: no-root
title: Not root
stages: [deploy]
severity: high
owner: platform
deny: input.image.user == ''
message: "{input.image.repository} runs as root"
"""


def parse(text: str) -> None:
    parse_pack({"rules.yaml": text.encode()})


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (RULE + "colour: red\n", "rules.yaml:8: rule 'no-root': .*unknown field `colour`"),
        (RULE.replace("deploy", "teardown"), "rules.yaml:3: rule 'no-root'"),
        (RULE.replace("high", "dreadful"), "rules.yaml:4: .*not a severity"),
        (RULE.replace("== ''", "=="), "rules.yaml:6: rule 'no-root', deny: does not compile"),
        (RULE.replace("input.image.user == ''", "size(input.image.user)"), "not true or false"),
        (RULE.replace("input.image.user", "it.user"), "rules.yaml:6: .*undeclared reference to 'it"),
        (RULE.replace("{input.image.repository}", "{it.x}"), "rules.yaml:7: .*speaks of an item"),
        (RULE.replace("{input.image.repository}", "{input.__class__.x!r}"), "rules.yaml:7: .*not a place"),
        (RULE.replace("{input.image.repository}", "{input.image"), "without its partner"),
        (RULE.replace("no-root", "No Root"), "rules.yaml:1: .*an id is"),
        (RULE + "---\n" + RULE, "rules.yaml:9: rule 'no-root' is already in rules.yaml:1"),
        (RULE + "title: again\n", "rules.yaml:8: the key 'title' stands twice"),
        (RULE.replace("owner: platform\n", ""), "missing required field `owner`"),
        (RULE + "remedy: {kind: upgrade}\n", "rules.yaml:8: .*upgrade needs each"),
        (RULE + "remedy: {kind: set}\n", "rules.yaml:8: .*`set` belongs"),
        (RULE + "exceptions:\n  - {subject: '*', reason: r, owner: o, until: soon}\n", "rules.yaml:9: .*not a moment"),
        (RULE + "examples:\n  - input: {}\n  - input: {}\n    denied: 3\n", "rules.yaml:"),
        ("- a list\n", "rules.yaml:1: this rule: Expected `object`"),
        ("{: }", "rules.yaml"),
        ("id: [unclosed", "rules.yaml:1"),
        ("\x00", "rules.yaml"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said_with_its_place(text: str, where: str) -> None:
    with pytest.raises(PolicyInvalid, match=where):
        parse(text)


def test_an_expression_that_does_not_compile_has_its_own_error() -> None:
    with pytest.raises(PolicyDoesNotCompile):
        parse(RULE.replace("== ''", "=="))


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(12)
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(BOMB, id="aliases"),
        pytest.param("a: &a [*a]", id="recursion"),
        pytest.param("[" * 5_000 + "]" * 5_000, id="deep"),
        pytest.param("{a: " * 3_000 + "1" + "}" * 3_000, id="deep mapping"),
        pytest.param("a: " + "x" * 300_000, id="large"),
        pytest.param("!!python/object/apply:os.system ['true']", id="python"),
        pytest.param("<<: {a: 1}", id="merge"),
        pytest.param("? [a, b]\n: 1", id="list as key"),
        pytest.param(
            RULE.replace("input.image.user == ''", "'" + "(" * 1_000 + "1" + ")" * 1_000 + "'"), id="brackets"
        ),
        pytest.param(RULE.replace("input.image.user == ''", "+".join(["1"] * 1_900) + " == 1"), id="long sum"),
        pytest.param(RULE.replace("input.image.user == ''", "!" * 9_000 + "true"), id="long expression"),
        pytest.param(RULE.replace("input.image.user == ''", "[1].all(a, " * 9 + "true" + ")" * 9), id="loops"),
    ],
)
def test_a_hostile_rule_file_is_a_clear_error(text: str) -> None:
    with pytest.raises(PolicyInvalid):
        parse(text)


def test_every_example_of_the_default_pack_passes_and_every_rule_has_both_kinds() -> None:
    pack = default_pack()
    assert [result for result in run_examples(pack) if not result.passed] == []
    assert without_examples(pack) == ()
    for compiled in pack.rules:
        assert {example.denied for example in compiled.rule.examples} == {True, False}, compiled.rule.id


def test_an_example_that_does_not_hold_is_reported() -> None:
    text = RULE + "examples:\n  - {input: {image: {user: ''}}, denied: false}\n  - {input: {}, denied: true}\n"
    results = run_examples(parse_pack({"a.yaml": text.encode()}))

    assert [result.passed for result in results] == [False, False]
    assert "denied, which it must not be" in results[0].why
    assert "The evaluation failed" in results[1].why


def test_the_digest_of_a_pack_changes_with_what_its_rules_decide_by_and_not_with_examples() -> None:
    def digest(text: str) -> str:
        return parse_pack({"a.yaml": text.encode()}).digest

    assert digest(RULE) == digest(RULE + "examples: [{input: {}, denied: true}]\n")
    assert digest(RULE) != digest(RULE.replace("''", "'root'"))


def test_files_are_read_from_directories_and_a_missing_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RULE)
    (tmp_path / "b.yml").write_text(RULE.replace("no-root", "other"))
    (tmp_path / "readme.txt").write_text("not a rule")

    assert [compiled.rule.id for compiled in load_pack(tmp_path).rules] == ["no-root", "other"]
    with pytest.raises(PolicyInvalid, match="nowhere"):
        load_pack(tmp_path / "nowhere")


def test_the_second_engine_runs_the_default_pack_too() -> None:
    results = run_examples(default_pack(RustCel()))
    # The words of a failure are the engine's own; everything else is equal.
    assert [result.name for result in results if not result.passed] == ["not to know of gaps is to have some"]
