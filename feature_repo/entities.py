"""What features are about."""

from feast import Entity, Project, ValueType

from recsys import columns

project = Project(name="recsys", description="Features of one shop: its users, its items, both together.")

user = Entity(
    name="user",
    join_keys=[columns.USER_ID],
    value_type=ValueType.STRING,
    description="A person, a household or an account of the shop, by its own id.",
    owner="recsys",
)

item = Entity(
    name="item",
    join_keys=[columns.ITEM_ID],
    value_type=ValueType.STRING,
    description="A thing of the catalog, by the shop's own id.",
    owner="recsys",
)
