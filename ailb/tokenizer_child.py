"""The process that has the vocabularies in it. Each line of its input is JSON, `["o200k_base", ["a text", ...]]`, and is answered by one:
how many tokens the texts have together. It ends with its input.

toktok holds Python's lock while it loads a vocabulary, for 0.25 to 0.7 s. In the gateway's process no thread would keep that from
everybody's streams. They are in the package: nothing is asked over the network. Each takes some 60 MB.
"""

import signal
import sys

import orjson
import toktok  # type: ignore[import-untyped]


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # they go to everybody at the terminal or in the unit, and the gateway drains first
        signal.signal(number, signal.SIG_IGN)
    for line in sys.stdin.buffer:
        encoding, texts = orjson.loads(line)
        sys.stdout.write(f"{sum(toktok.batch_count(texts, encoding, threads=1))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
