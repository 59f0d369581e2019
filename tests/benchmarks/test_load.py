"""What wrk prints, and what it is told."""

import json

import pytest

from benchmarks.load import FAULTS, SCRIPT, WORKLOADS, Workload, parse_result, wrk
from benchmarks.upstream import EVENTS

OUTPUT = """\
Running 2s test @ http://127.0.0.1:38129/v1/chat/completions
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     0.97ms    1.00ms  22.79ms   94.69%
    Req/Sec    71.10k     5.46k   77.42k    85.00%
  141450 requests in 2.00s, 153.91MB read
Requests/sec:  70624.47
Transfer/sec:     76.84MB
result requests=141450 micros=2002847 p50=776 p99=3612 status=0 connect=0 read=2 write=0 timeout=0
"""


def test_the_result_is_read_from_its_line() -> None:
    result = parse_result(OUTPUT)
    assert (result["requests"], result["micros"], result["p50"], result["p99"]) == (141450, 2002847, 776, 3612)
    assert {name: result[name] for name in FAULTS} == {"status": 0, "connect": 0, "read": 2, "write": 0, "timeout": 0}


@pytest.mark.parametrize("output", ["", "unable to connect to 127.0.0.1:1 Connection refused\n"])
def test_where_wrk_could_not_begin_there_is_no_result(output: str) -> None:
    assert parse_result(output) == {}


def test_the_script_prints_every_name_that_is_read() -> None:
    script = SCRIPT.read_text()
    assert all(f" {name}=%d" in script for name in ("requests", "micros", "p50", "p99", *FAULTS))


def test_wrk_is_told_the_body_the_connections_and_the_time() -> None:
    command = wrk("http://127.0.0.1:1/v1", Workload("burst", 64), 3, "sk-ailb_x")
    assert {"-c64", "-d3s", "http://127.0.0.1:1/v1"} <= set(command)
    assert json.loads(command[-2])["model"] == "burst"
    assert json.loads(command[-2])["stream"] is True
    assert command[-1] == "sk-ailb_x"


def test_workloads_have_keys_of_their_own() -> None:
    assert len({workload.key for workload in WORKLOADS}) == len(WORKLOADS)
    assert [Workload("chat", 1).units, Workload("paced", 1).units] == [1, EVENTS]


def test_connections_that_rest_are_told_how_long() -> None:
    workload = Workload("chat", 64, pause=128)
    assert wrk("http://127.0.0.1:1/v1", workload, 3)[-2:] == ["sk-bench", "128"]
    assert workload.key != Workload("chat", 64).key
