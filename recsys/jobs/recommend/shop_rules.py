"""The shop's rules as they are now, for one answer without the service."""

from collections.abc import Mapping

from recsys.catalog import AttributeValue
from recsys.config import Settings
from recsys.rules.rule_set import RuleSet
from recsys.stores.rules.store import RuleStore
from recsys.stores.rules.user_attributes import UserAttributes


class HomeRules:
    """A RuleSource of one set of rules, with the attributes of the home's users.

    Attributes:
        current: the rules.
    """

    def __init__(self, current: RuleSet, attributes: UserAttributes) -> None:
        self.current = current
        self._attributes = attributes
        if current.reads_attributes:
            attributes.refresh()

    def attributes_of(self, user_id: str) -> Mapping[str, AttributeValue]:
        """The shop's attributes of a user."""
        return self._attributes.of(user_id)


def read_rules(settings: Settings) -> HomeRules:
    """The rules in force.

    Raises:
        DataError: what is stored cannot be read.
        StoreUnavailableError: the database did not answer.
    """
    with RuleStore.open(settings) as store:
        return HomeRules(store.load().compiled(), UserAttributes(settings.paths))
