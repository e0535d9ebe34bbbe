"""Rules in CEL: one engine and one rule text for build, push, pull, deploy and run."""
