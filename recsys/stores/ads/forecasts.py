"""Forecasts of campaigns in SQL, so that what came can be held against what was expected."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, and_, insert, or_, select

from recsys.ads.campaigns.campaign import Campaign
from recsys.ads.delivery.forecast import Forecast, forecast_of
from recsys.config import Settings
from recsys.instants import utc_now
from recsys.stores.ads.delivery_tables import ForecastRow
from recsys.stores.registry.sql_store import SqlStore, open_database


@dataclass(frozen=True)
class KeptForecast:
    """A forecast and when it was made."""

    made_at: datetime
    forecast: Forecast


class ForecastStore(SqlStore):
    """Forecasts; safe to share between threads. Use `open`.

    Every method raises StoreUnavailableError where the database does not answer.
    """

    def __init__(self, engine: Engine, clock: Callable[[], datetime] = utc_now) -> None:
        super().__init__(engine)
        self._clock = clock

    @classmethod
    def open(cls, settings: Settings, clock: Callable[[], datetime] = utc_now) -> "ForecastStore":
        """The store of the database that `settings` name, its tables brought up to date.

        Raises:
            ConfigError: DATABASE_URL is malformed, or a newer version made the tables.
            StoreUnavailableError: the database did not answer.
        """
        return cls(open_database(settings), clock)

    def keep(self, campaign: Campaign, forecast: Forecast, author: str) -> None:
        """Keeps a forecast. Of a campaign that is not saved yet its name is kept."""
        with self._writing("keep a forecast") as connection:
            connection.execute(
                insert(ForecastRow).values(
                    account_id=campaign.account_id,
                    campaign_id=campaign.campaign_id if campaign.version else None,
                    name=campaign.name,
                    made_at=self._clock(),
                    made_by=author,
                    forecast=forecast.to_json(),
                )
            )

    def forecasts(self, campaign: Campaign) -> tuple[KeptForecast, ...]:
        """Those of a campaign, and those made of its name before it was saved, oldest first."""
        row = ForecastRow
        unsaved = and_(
            row.campaign_id.is_(None), row.account_id == campaign.account_id, row.name == campaign.name
        )
        query = (
            select(row.made_at, row.forecast)
            .where(or_(row.campaign_id == campaign.campaign_id, unsaved))
            .order_by(row.made_at, row.forecast_id)
        )
        with self._reading("read forecasts") as connection:
            return tuple(KeptForecast(at, forecast_of(made)) for at, made in connection.execute(query))
