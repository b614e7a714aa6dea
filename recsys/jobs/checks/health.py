"""Whether the product works: the same problems that a running service names, with their remedies."""

from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException

from pydantic import BaseModel, ValidationError

from recsys.config import Settings
from recsys.features.windows import LONGEST_DAYS
from recsys.health.judge import judge
from recsys.health.problems import KINDS_BY_CODE, Problem
from recsys.instants import now_micros
from recsys.jobs.checks.check import Check, ok, warning

SERVICE = "service"
TIMEOUT_SECONDS = 2.0
_MOST_BYTES = 1_000_000


def problems(settings: Settings) -> list[Check]:
    """One check a problem of the stores and of a service that runs; one that is ok where there is none."""
    from recsys.jobs.checks.observe import HomeObserver  # Feast, which takes a second

    observer = HomeObserver(settings)
    try:
        facts = observer.look(now_micros())
    finally:
        observer.close()
    found = {problem.code: problem for problem in judge(facts, settings.health, LONGEST_DAYS)}
    service = ask_service(settings)
    for problem in service.told_problems() if service else ():
        found.setdefault(problem.code, problem)
    checks = [problem_check(problem) for problem in found.values()] or [ok("health", "no problem")]
    return [*checks, service_check(service)]


def problem_check(problem: Problem) -> Check:
    """The check that shows `problem`."""
    detail = f"{problem.kind.meaning} {problem.detail}".strip()
    return Check(problem.code, "missing" if problem.kind.stops else "warning", detail, problem.kind.remedy)


class ToldDetail(BaseModel):
    """A problem with the values that tell it."""

    code: str
    detail: str = ""


class ToldError(BaseModel):
    """Why no useful answer can be given."""

    code: str
    message: str = ""


class ReadyAnswer(BaseModel):
    """What `/readyz` said, of this version or another; None where it said nothing of the kind."""

    problems: list[str] | None = None
    details: list[ToldDetail] | None = None
    error: ToldError | None = None

    def told_problems(self) -> Iterator[Problem]:
        """The problems that are named, as far as this version knows them."""
        told = {each.code: each.detail for each in self.details or ()}
        if self.error is not None:
            told[self.error.code] = self.error.message
        for code in dict.fromkeys([*(self.problems or ()), *told]):
            if code in KINDS_BY_CODE:
                yield Problem(KINDS_BY_CODE[code], told.get(code, ""))


def ask_service(settings: Settings) -> ReadyAnswer | None:
    """What `/readyz` of the service at the settings' address says; None where nothing answers there.

    It is asked without the key: another program may listen at that port. Codes are told to everybody.
    """
    host = settings.serving.host
    host = "127.0.0.1" if host in ("0.0.0.0", "") else "::1" if host == "::" else host
    # Not urllib: no proxy, and no redirect to somewhere else.
    connection = HTTPConnection(host, settings.serving.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return ReadyAnswer.model_validate_json(connection.getresponse().read(_MOST_BYTES))
    except (OSError, HTTPException):
        return None
    except ValidationError:
        return ReadyAnswer()
    finally:
        connection.close()


def service_check(answer: ReadyAnswer | None) -> Check:
    """Whether a service was asked."""
    if answer is None:
        return ok(SERVICE, "none runs: cold starts and its background work are not looked at")
    if answer.problems is None and answer.error is None:
        return warning(SERVICE, "what answers there is no service of recsys", "set RECSYS_SERVING__PORT")
    return ok(SERVICE, "runs, and was asked for its problems")
