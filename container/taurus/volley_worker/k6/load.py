"""The load of an execution as k6 reads it from its environment, which counts for more than the script's own options.

In the environment, not on the command line, so that `k6 inspect` judges the script under the same load that `k6 run` makes.
"""

# Without `url`: each distinct one would be a series in k6's memory, and a third of the sample file. `name` is the label.
SYSTEM_TAGS = "proto,subproto,status,method,name,group,check,error,error_code,tls_version,scenario,service,expected_response"

FORCED = {
    "K6_PAUSED": "false",
    "K6_SYSTEM_TAGS": SYSTEM_TAGS,
    "K6_NO_USAGE_REPORT": "true",
    # The collector follows the samples live; k6's own interval is a second.
    "K6_CSV_SAVE_INTERVAL": "200ms",
    # Milliseconds, k6's own format has seconds: ends of samples would be up to a second early.
    "K6_CSV_TIME_FORMAT": "unix_milli",
}


class Impossible(Exception):
    """A load that k6 cannot make."""


def environment(users: int, ramp_up: float, hold: float, iterations: int) -> dict[str, str]:
    """Variables for `users`, who start over `ramp_up` seconds and stay for `hold` seconds after that.

    `iterations` are those of each user; 0: no bound. The first user starts at once, as with every engine.
    """
    users = max(users, 1)
    if iterations:
        if ramp_up:
            raise Impossible("k6 cannot have iterations together with a ramp-up: leave one of them out")
        bound = {"K6_VUS": str(users), "K6_ITERATIONS": str(iterations * users)}
        return {**FORCED, **bound, **({"K6_DURATION": _duration(hold)} if hold else {})}
    if ramp_up:
        stages = [f"{_duration(ramp_up)}:{users}", *([f"{_duration(hold)}:{users}"] if hold else [])]
        return {**FORCED, "K6_VUS": "1", "K6_STAGES": ",".join(stages)}
    return {**FORCED, "K6_VUS": str(users), "K6_DURATION": _duration(hold)}


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
