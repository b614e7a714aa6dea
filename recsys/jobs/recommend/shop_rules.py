"""The shop's rules as they are now, for one answer without the service."""

from collections.abc import Mapping

from recsys.catalog import AttributeValue
from recsys.config import Settings
from recsys.rules.rule_set import RuleSet
from recsys.search.shop_words import ShopWords
from recsys.stores.rules.store import RuleStore
from recsys.stores.rules.user_attributes import UserAttributes


class HomeRules:
    """A RuleSource and ShopWordsSource of one state, with the attributes of the home's users.

    Attributes:
        current: the rules. words: synonyms and hidden words.
    """

    def __init__(self, current: RuleSet, words: ShopWords, attributes: UserAttributes) -> None:
        self.current = current
        self.words = words
        self._attributes = attributes
        if current.reads_attributes:
            attributes.refresh()

    def attributes_of(self, user_id: str) -> Mapping[str, AttributeValue]:
        """The shop's attributes of a user."""
        return self._attributes.of(user_id)


def read_rules(settings: Settings) -> HomeRules:
    """The rules and words in force.

    Raises:
        DataError: what is stored cannot be read.
        StoreUnavailableError: the database did not answer.
    """
    with RuleStore.open(settings) as store:
        stored = store.load()
    return HomeRules(stored.compiled(), stored.words(), UserAttributes(settings.paths))
