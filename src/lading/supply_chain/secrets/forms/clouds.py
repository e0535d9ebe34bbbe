"""Clouds and those who host: AWS, Google, Azure, DigitalOcean, Heroku, Cloudflare, Fly, HashiCorp, Tailscale."""

from __future__ import annotations

import re
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.secrets.form import Candidate, Form
from lading.supply_chain.secrets.forms.writing import ASSIGNS, ROTATE, kind, named, token
from lading.supply_chain.secrets.plausibility import entropy, placeholder

_AWS_NAMES: Final = rb"(?i:aws_?secret_?access_?key|aws_?secret_?key|secret_?access_?key|aws_?secret)"


def _is_aws_secret(candidate: Candidate) -> bool:
    value = candidate.value
    # A git commit or another digest has as many characters, but sixteen of them.
    return entropy(value) >= 4.0 and not placeholder(value) and not re.fullmatch(rb"[0-9a-f]{40}", value)


_AWS_SECRET: Final = Form(
    kind=kind("aws-secret-access-key", "Secret access key of AWS", Severity.CRITICAL, ROTATE.format(vendor="AWS")),
    trigger=_AWS_NAMES + ASSIGNS + rb"[A-Za-z0-9/+]{40}",
    pattern=re.compile(_AWS_NAMES + ASSIGNS + rb"(?P<value>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"),
    genuine=_is_aws_secret,
)

FORMS: Final = (
    token(
        "aws-access-key-id",
        "Access key id of AWS",
        "AWS",
        rb"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",
        severity=Severity.MEDIUM,
        sure=False,
    ),
    _AWS_SECRET,
    token("gcp-api-key", "API key of Google", "Google Cloud", rb"AIza[0-9A-Za-z_-]{35}"),
    token("gcp-oauth-client-secret", "OAuth client secret of Google", "Google Cloud", rb"GOCSPX-[0-9A-Za-z_-]{28}"),
    token(
        "azure-storage-key",
        "Account key of Azure Storage or Cosmos DB",
        "Azure",
        rb"AccountKey=[A-Za-z0-9+/]{86}==",
        severity=Severity.CRITICAL,
    ),
    token(
        "azure-shared-access-key",
        "Shared access key of Azure",
        "Azure",
        rb"SharedAccessKey=[A-Za-z0-9+/]{43}=",
    ),
    token(
        "azure-client-secret",
        "Client secret of Microsoft Entra",
        "Azure",
        rb"[0-9A-Za-z_~.-]{3}[0-9]Q~[0-9A-Za-z_~.-]{31,34}",
    ),
    token(
        "azure-devops-token",
        "Personal access token of Azure DevOps",
        "Azure DevOps",
        rb"[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}",
    ),
    token("digitalocean-token", "Token of DigitalOcean", "DigitalOcean", rb"do[opr]_v1_[0-9a-f]{64}"),
    token("heroku-token", "Token of Heroku", "Heroku", rb"HRKU-[0-9A-Za-z_-]{36,64}"),
    named(
        "heroku-api-key",
        "API key of Heroku",
        "Heroku",
        rb"heroku[_-]?(?:api)?[_-]?key",
        rb"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
    ),
    token("cloudflare-origin-key", "Origin CA key of Cloudflare", "Cloudflare", rb"v1\.0-[0-9a-f]{24}-[0-9a-f]{146}"),
    named(
        "cloudflare-api-token",
        "API token of Cloudflare",
        "Cloudflare",
        rb"(?:cloudflare|cf)_(?:api_)?token",
        rb"[0-9A-Za-z_-]{40}",
        least=4.0,
    ),
    named(
        "cloudflare-api-key",
        "Global API key of Cloudflare",
        "Cloudflare",
        rb"(?:cloudflare|cf)_(?:global_)?(?:api_)?key",
        rb"[0-9a-f]{37}",
    ),
    token("vault-token", "Token of HashiCorp Vault", "Vault", rb"hv[sbr]\.[0-9A-Za-z_-]{24,300}"),
    token(
        "terraform-token",
        "Token of HCP Terraform",
        "HCP Terraform",
        rb"[0-9A-Za-z]{14}\.atlasv1\.[0-9A-Za-z_-]{60,70}",
        severity=Severity.CRITICAL,
    ),
    token("fly-token", "Token of Fly.io", "Fly.io", rb"fo1_[0-9A-Za-z_-]{43}"),
    token(
        "tailscale-key",
        "Key of Tailscale",
        "Tailscale",
        rb"tskey-(?:auth|api|client|scim|webhook)-[0-9A-Za-z]{10,20}-[0-9A-Za-z]{20,40}",
    ),
    token("pulumi-token", "Token of Pulumi", "Pulumi", rb"pul-[0-9a-f]{40}"),
    token(
        "planetscale-token",
        "Token or password of PlanetScale",
        "PlanetScale",
        rb"pscale_(?:tkn|pw|oauth)_[0-9A-Za-z_=.-]{32,64}",
    ),
    token("databricks-token", "Token of Databricks", "Databricks", rb"dapi[0-9a-f]{32}"),
    token(
        "doppler-token",
        "Token of Doppler",
        "Doppler",
        rb"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[0-9a-z_-]{2,35}\.)?[0-9A-Za-z]{40,44}",
    ),
    token("supabase-token", "Token of Supabase", "Supabase", rb"sbp_[0-9a-f]{40}"),
)
