"""Keeps the shop's rules and words in service: a change in the database is taken up without a restart."""

import logging
from collections.abc import Callable, Mapping

from recsys.background_task import BackgroundTask
from recsys.catalog import AttributeValue
from recsys.errors import RecsysError
from recsys.rules.rule_set import RuleSet
from recsys.search.shop_words import ShopWords
from recsys.stores.rules.records import StoredRules
from recsys.stores.rules.user_attributes import UserAttributes

log = logging.getLogger("recsys.serving")


class RuleWatch:
    """A RuleSource and ShopWordsSource that follows the database.

    `current` and `words` are references that are replaced as a whole.

    Where the database is away, or holds a rule that cannot be read, the last rules go on and `problem` says
    so. The version is asked for every time, all rules only when it changed.

    Args:
        version: of the whole set, see `RuleStore.version`. load: all of it.
        attributes: of users; read only while a segment asks for one.

    Attributes:
        current: the rules in force. words: the synonyms and hidden words in force.
        problem: why the rules in force may not be the newest, empty where they are.
        task: the looking, which outlives whatever goes wrong.
    """

    def __init__(
        self, version: Callable[[], int], load: Callable[[], StoredRules], attributes: UserAttributes
    ) -> None:
        self._version = version
        self._load = load
        self._attributes = attributes
        self.current = RuleSet()
        self.words = ShopWords()
        self.problem = ""
        self.task = BackgroundTask("rule watch", self._look)

    def attributes_of(self, user_id: str) -> Mapping[str, AttributeValue]:
        """The shop's attributes of a user, as of the last look."""
        return self._attributes.of(user_id)

    def check(self) -> None:
        """One look at the database; swaps the rules where they changed. Never raises."""
        self.task.attempt()

    def start(self, seconds: float) -> None:
        """Looks every `seconds` from now on, in a thread of its own."""
        self.task.start(seconds, at_once=False)

    def stop(self) -> None:
        """Ends the thread; the rules stay."""
        self.task.stop()

    def _look(self) -> None:
        try:
            if self._version() != self.current.version:
                stored = self._load()
                current, words = stored.compiled(), stored.words()
                if current.reads_attributes:
                    self._attributes.refresh()  # before the first request that asks for one
                self.current, self.words = current, words
                log.info(
                    "version %d of the rules is in force: %d rules, %d synonyms",
                    current.version,
                    len(current),
                    len(words.synonyms),
                )
            elif self.current.reads_attributes:
                self._attributes.refresh()
            self.problem = ""
        except RecsysError as error:
            # Not for the task to count: its pauses between failures would make a change late.
            if str(error) != self.problem:
                log.warning("version %d of the rules stays in force: %s", self.current.version, error)
            self.problem = str(error)
        except Exception:
            self.problem = "rules could not be read; the service's log says why."
            raise
