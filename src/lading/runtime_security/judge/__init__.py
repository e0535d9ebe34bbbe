"""From what was seen to incidents: the policy stage `run` judges, incidents are opened once and counted."""

from lading.runtime_security.judge.incidents import Incident, Incidents, NewIncident
from lading.runtime_security.judge.judging import RuntimeJudge
from lading.runtime_security.judge.verdict import Judge, Verdict, Violation

__all__ = ["Incident", "Incidents", "Judge", "NewIncident", "RuntimeJudge", "Verdict", "Violation"]
