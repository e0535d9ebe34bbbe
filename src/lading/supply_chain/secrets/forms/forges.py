"""Where code and packages come from: GitHub, GitLab, Atlassian, npm, PyPI, RubyGems, crates.io, Docker Hub."""

from __future__ import annotations

from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.secrets.checksums import crc32_base62
from lading.supply_chain.secrets.form import Candidate
from lading.supply_chain.secrets.forms.writing import token


def _checked(candidate: Candidate) -> bool:
    """Behind a prefix of four characters: thirty of chance and six of checksum."""
    return crc32_base62(candidate.value[4:])


_GITLAB: Final = rb"(?:glpat|gldt|glrt|glrtr|glft|glimt|gloas|glsoat|glffct|glagent|glwt)-"

FORMS: Final = (
    token(
        "github-token",
        "Token of GitHub",
        "GitHub",
        rb"gh[pousr]_[0-9A-Za-z]{36}",
        severity=Severity.CRITICAL,
        genuine=_checked,
    ),
    token("github-refresh-token", "Refresh token of GitHub", "GitHub", rb"ghr_[0-9A-Za-z]{76}"),
    token(
        "github-fine-grained-token",
        "Fine-grained token of GitHub",
        "GitHub",
        rb"github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}",
        severity=Severity.CRITICAL,
    ),
    token(
        "gitlab-token",
        "Token of GitLab",
        "GitLab",
        _GITLAB + rb"(?:[0-9A-Za-z_-]{27,300}\.[0-9a-z]{2}\.[0-9a-z]{9}|[0-9A-Za-z_-]{20,64})",
        severity=Severity.CRITICAL,
        trigger=_GITLAB + rb"[0-9A-Za-z_-]{20}",
    ),
    token(
        "gitlab-job-token",
        "Job token of GitLab",
        "GitLab",
        rb"glcbt-[0-9a-fA-F]{1,5}_[0-9A-Za-z_-]{20}",
        severity=Severity.MEDIUM,
    ),
    token("gitlab-trigger-token", "Trigger token of GitLab", "GitLab", rb"glptt-[0-9a-f]{40}"),
    token("gitlab-registration-token", "Runner registration token of GitLab", "GitLab", rb"GR1348941[0-9A-Za-z_-]{20}"),
    token("atlassian-token", "API token of Atlassian", "Atlassian", rb"ATATT3xFfGF0[0-9A-Za-z_=-]{160,220}"),
    token("bitbucket-app-password", "App password of Bitbucket", "Bitbucket", rb"ATBB[0-9A-Za-z]{32}"),
    token("npm-token", "Token of npm", "npm", rb"npm_[0-9A-Za-z]{36}", severity=Severity.CRITICAL, genuine=_checked),
    token(
        "pypi-token",
        "Token of PyPI",
        "PyPI",
        rb"pypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZw)[0-9A-Za-z_-]{50,500}",
        severity=Severity.CRITICAL,
    ),
    token("rubygems-key", "API key of RubyGems", "RubyGems", rb"rubygems_[0-9a-f]{48}", severity=Severity.CRITICAL),
    token(
        "crates-token",
        "Token of crates.io",
        "crates.io",
        rb"cio[0-9A-Za-z]{32}",
        severity=Severity.CRITICAL,
        sure=False,
    ),
    token(
        "dockerhub-token",
        "Token of Docker Hub",
        "Docker Hub",
        rb"dckr_(?:pat_[0-9A-Za-z_-]{27}|oat_[0-9A-Za-z_-]{32})",
        severity=Severity.CRITICAL,
    ),
    token("artifactory-key", "API key of Artifactory", "Artifactory", rb"AKCp[0-9A-Za-z]{69}"),
    token("sourcegraph-token", "Token of Sourcegraph", "Sourcegraph", rb"sgp_(?:[0-9a-f]{16}_|local_)?[0-9a-f]{40}"),
)
