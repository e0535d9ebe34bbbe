"""Services that applications call: chat, mail, money, models, and those that watch."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.secrets.form import Candidate
from lading.supply_chain.secrets.forms.writing import named, token
from lading.supply_chain.secrets.plausibility import example


def _snowflake(candidate: Candidate) -> bool:
    """The first part of a bot's token is its number in base64."""
    head = candidate.value.partition(b".")[0]
    try:
        number = base64.b64decode(head + b"=" * (-len(head) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return number.isdigit() and not example(candidate.value)


def _grafana_key(candidate: Candidate) -> bool:
    """A key of before service accounts is an object in base64: key, name, organisation."""
    try:
        document = json.loads(base64.b64decode(candidate.value + b"=" * (-len(candidate.value) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and isinstance(document.get("k"), str) and "id" in document


CHAT: Final = (
    token("slack-bot-token", "Bot token of Slack", "Slack", rb"xoxb-[0-9]{9,14}-[0-9]{9,14}-[0-9A-Za-z]{20,40}"),
    token("slack-token", "Token of Slack", "Slack", rb"xox[aprs]-(?:[0-9]{1,14}-){1,3}[0-9A-Za-z]{20,70}"),
    token("slack-app-token", "App token of Slack", "Slack", rb"xapp-[0-9]-[A-Z0-9]{8,14}-[0-9]{8,16}-[0-9a-f]{40,80}"),
    token(
        "slack-rotating-token",
        "Configuration or refresh token of Slack",
        "Slack",
        rb"xoxe(?:\.xox[bp])?-[0-9]-[0-9A-Za-z]{100,250}",
    ),
    token(
        "slack-webhook",
        "Incoming webhook of Slack",
        "Slack",
        rb"hooks\.slack\.com/(?:services|workflows|triggers)/T[0-9A-Z]{8,12}/[0-9A-Z]{8,20}/[0-9A-Za-z/]{20,70}",
        severity=Severity.MEDIUM,
    ),
    token("telegram-bot-token", "Bot token of Telegram", "Telegram", rb"[0-9]{8,10}:AA[0-9A-Za-z_-]{33}"),
    token(
        "discord-bot-token",
        "Bot token of Discord",
        "Discord",
        rb"[MNO][0-9A-Za-z_-]{23,27}\.[0-9A-Za-z_-]{6}\.[0-9A-Za-z_-]{27,38}",
        genuine=_snowflake,
    ),
    token(
        "discord-webhook",
        "Webhook of Discord",
        "Discord",
        rb"discord(?:app)?\.com/api/webhooks/[0-9]{17,20}/[0-9A-Za-z_-]{60,80}",
        severity=Severity.MEDIUM,
    ),
    token(
        "teams-webhook",
        "Incoming webhook of Microsoft Teams",
        "Microsoft Teams",
        rb"webhook\.office\.com/webhookb2/[0-9a-f-]{36}@[0-9a-f-]{36}/IncomingWebhook/[0-9a-f]{32}/[0-9a-f-]{36}",
        severity=Severity.MEDIUM,
    ),
)

MAIL: Final = (
    token("sendgrid-key", "API key of SendGrid", "SendGrid", rb"SG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}"),
    token("mailgun-key", "API key of Mailgun", "Mailgun", rb"key-[0-9a-f]{32}", sure=False),
    named(
        "mailgun-signing-key",
        "API or signing key of Mailgun",
        "Mailgun",
        rb"mailgun",
        rb"[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}",
    ),
    token("mailchimp-key", "API key of Mailchimp", "Mailchimp", rb"[0-9a-f]{32}-us[0-9]{1,2}"),
    token("brevo-key", "API key of Brevo", "Brevo", rb"xkeysib-[0-9a-f]{64}-[0-9A-Za-z]{16}"),
    token("twilio-key", "API key of Twilio", "Twilio", rb"SK[0-9a-f]{32}", severity=Severity.MEDIUM, sure=False),
    named(
        "twilio-auth-token",
        "Auth token of Twilio",
        "Twilio",
        rb"twilio[_-]?(?:auth)?[_-]?(?:token|secret)",
        rb"[0-9A-Za-z]{32}",
    ),
)

MONEY: Final = (
    token(
        "stripe-key",
        "Live key of Stripe",
        "Stripe",
        rb"[rs]k_(?:live|prod)_[0-9A-Za-z]{24,250}",
        severity=Severity.CRITICAL,
    ),
    token(
        "stripe-webhook-secret",
        "Webhook secret of Stripe",
        "Stripe",
        rb"whsec_[0-9A-Za-z]{32,64}",
        severity=Severity.MEDIUM,
    ),
    token("square-token", "Token of Square", "Square", rb"sq0(?:atp-[0-9A-Za-z_-]{22}|csp-[0-9A-Za-z_-]{43})"),
    token("square-access-token", "Access token of Square", "Square", rb"EAAA[0-9A-Za-z_-]{60}", sure=False),
    token("shopify-token", "Token of Shopify", "Shopify", rb"shp(?:at|ca|pa|ss|ua)_[0-9a-fA-F]{32}"),
    token(
        "braintree-token",
        "Production token of Braintree",
        "Braintree",
        rb"access_token\$production\$[0-9a-z]{16}\$[0-9a-f]{32}",
    ),
)

MODELS: Final = (
    token(
        "openai-key",
        "API key of OpenAI",
        "OpenAI",
        rb"sk-(?:(?:proj|svcacct|admin)-)?[0-9A-Za-z_-]{20,100}T3BlbkFJ[0-9A-Za-z_-]{20,100}",
        trigger=rb"T3BlbkFJ[0-9A-Za-z_-]{20}",
    ),
    token(
        "anthropic-key",
        "API key of Anthropic",
        "Anthropic",
        rb"sk-ant-(?:api|admin|oat|ort)[0-9]{2}-[0-9A-Za-z_-]{80,120}",
    ),
    token("huggingface-token", "Token of Hugging Face", "Hugging Face", rb"(?:hf_|api_org_)[A-Za-z]{34}"),
    token("replicate-token", "Token of Replicate", "Replicate", rb"r8_[0-9A-Za-z]{37}"),
    token("groq-key", "API key of Groq", "Groq", rb"gsk_[0-9A-Za-z]{52}"),
    token("xai-key", "API key of xAI", "xAI", rb"xai-[0-9A-Za-z]{80}"),
    token("perplexity-key", "API key of Perplexity", "Perplexity", rb"pplx-[0-9A-Za-z]{48}"),
)

WATCHING: Final = (
    named(
        "datadog-app-key",
        "Application key of Datadog",
        "Datadog",
        rb"(?:datadog|dd)_?app(?:lication)?_?key",
        rb"[0-9a-f]{40}",
    ),
    named("datadog-api-key", "API key of Datadog", "Datadog", rb"(?:datadog|dd)_?api_?key", rb"[0-9a-f]{32}"),
    token("newrelic-user-key", "User key of New Relic", "New Relic", rb"NRAK-[0-9A-Z]{27}"),
    token("newrelic-licence-key", "Licence or ingest key of New Relic", "New Relic", rb"[0-9a-f]{36}NRAL"),
    token("newrelic-insert-key", "Insert or query key of New Relic", "New Relic", rb"NRI[IQ]-[0-9A-Za-z_-]{32}"),
    token("grafana-token", "Service account token of Grafana", "Grafana", rb"glsa_[0-9A-Za-z]{32}_[0-9a-f]{8}"),
    token("grafana-cloud-token", "Token of Grafana Cloud", "Grafana Cloud", rb"glc_eyJ[0-9A-Za-z+/]{40,400}"),
    token("grafana-key", "API key of Grafana", "Grafana", rb"eyJrIjoi[0-9A-Za-z+/]{60,200}", genuine=_grafana_key),
    token("sentry-token", "Token of Sentry", "Sentry", rb"sntry(?:u_[0-9a-f]{64}|s_eyJ[0-9A-Za-z+/=_]{80,300})"),
    token("dynatrace-token", "Token of Dynatrace", "Dynatrace", rb"dt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    token("pagerduty-token", "Token of PagerDuty", "PagerDuty", rb"pdus\+[0-9A-Za-z_+-]{20}", sure=False),
    token("postman-key", "API key of Postman", "Postman", rb"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    token("linear-key", "API key of Linear", "Linear", rb"lin_api_[0-9A-Za-z]{40}"),
    token("notion-token", "Token of Notion", "Notion", rb"ntn_[0-9]{11}[0-9A-Za-z]{35}"),
)

FORMS: Final = (*CHAT, *MAIL, *MONEY, *MODELS, *WATCHING)
