"""A process that serves ads and clicks on them in many threads, until it is told to stop or killed.

Each ad is held by the gate, half of those that are shown are clicked, and some clicks are told twice,
replayed or forged. The slot of each click that the stream accepted is a line of the file that it is given.
"""

import random
import signal
import sys
import threading
import time
from pathlib import Path
from threading import Event, Lock
from typing import TextIO
from uuid import uuid4

import orjson

from recsys.ads.auction.candidates import PricingCode
from recsys.ads.campaigns.campaign import Campaign
from recsys.ads.pacing.budget_gate import HoldRequest, expected_cost_micros
from recsys.ads.tokens.impression_token import ImpressionTokens, SponsoredImpression
from recsys.config import load_settings
from recsys.errors import StoreUnavailableError
from recsys.events import Click, encode_event
from recsys.instants import to_micros, utc_now
from recsys.stores.ads_gate.gate import RedisBudgetGate
from recsys.stores.ads_token_key import token_keys
from recsys.stores.shop_identity import known_shop_id
from recsys.stores.stream.open import open_stream
from recsys.streaming.stream import EventStream, partition_of
from tests.faults.ads_home import ACCOUNT, PRICES, campaigns, levels_of

P_CLICK = 0.5
IDLE_SECONDS = 0.02  # after an ad that no budget has room for


class Shopper:
    """One loop: an ad is served, and perhaps clicked."""

    def __init__(
        self,
        gate: RedisBudgetGate,
        stream: EventStream,
        tokens: ImpressionTokens,
        accepted: TextIO,
        lock: Lock,
        seed: str,
    ) -> None:
        self._gate, self._stream, self._tokens = gate, stream, tokens
        self._accepted, self._lock = accepted, lock
        self._rng, self._user = random.Random(seed), f"user-{seed}"
        self._campaigns = campaigns()

    def run(self, stop: Event) -> None:
        """Goes on until `stop`, whatever is away."""
        while not stop.is_set():
            campaign = self._rng.choice(self._campaigns)
            try:
                if self._serve(campaign):
                    continue
            except StoreUnavailableError:
                pass
            time.sleep(IDLE_SECONDS)

    def _serve(self, campaign: Campaign) -> bool:
        """Whether an ad of the campaign was shown."""
        price, slot_id = self._rng.randint(*PRICES), uuid4().hex
        cost = expected_cost_micros("cpc", price, P_CLICK)
        refusal = self._gate.hold(
            HoldRequest(ACCOUNT.account_id, slot_id, levels_of(campaign), cost, "cpc", price_micros=price)
        )
        if refusal is not None:
            return False
        if self._rng.random() < P_CLICK:
            self._click(campaign, slot_id, price)
        return True

    def _click(self, campaign: Campaign, slot_id: str, price: int) -> None:
        now = utc_now()
        impression = SponsoredImpression(
            slot_id=slot_id,
            ad="1",
            account=ACCOUNT.account_id,
            campaign=campaign.campaign_id,
            line=campaign.lines[0].line_id,
            slot=1,
            price_micros=price,
            pricing=PricingCode.CPC,
            p=P_CLICK,
            served_at=now,
            surface="home",
            request_id=slot_id,
            unit=f"user:{self._user}",
        )
        token = self._tokens.encode(impression)
        event_id = uuid4().hex
        self._send(event_id, token)
        with self._lock:
            self._accepted.write(f"{slot_id}\n")
            self._accepted.flush()
        chance = self._rng.random()
        if chance < 0.1:
            self._send(event_id, token)  # its client did not hear that it was accepted
        elif chance < 0.2:
            self._send(uuid4().hex, token)
        elif chance < 0.25:
            self._send(uuid4().hex, token[:-2] + ("AA" if token[-2:] != "AA" else "BB"))

    def _send(self, event_id: str, token: str) -> None:
        now = utc_now()
        event = Click(event_id=event_id, at=now, user_id=self._user, item_id="1", token=token)
        partition = partition_of(self._user, self._stream.partitions)
        self._stream.append([(partition, orjson.dumps(encode_event(event)))], to_micros(now))


def main(seed: str, loops: int, accepted: Path) -> None:
    """Runs so many loops until SIGTERM."""
    stop, lock = Event(), Lock()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    settings = load_settings()
    gate, stream = RedisBudgetGate.open(settings), open_stream(settings)
    tokens = ImpressionTokens(token_keys(settings), known_shop_id(settings) or "")
    with accepted.open("a") as file:
        shoppers = [Shopper(gate, stream, tokens, file, lock, f"{seed}-{number}") for number in range(loops)]
        threads = [threading.Thread(target=each.run, args=(stop,)) for each in shoppers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    gate.close()
    stream.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
